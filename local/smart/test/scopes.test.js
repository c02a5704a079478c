// Scopes against operations. Each cell of the table names the permissions that a scope gives on one record; every permission
// that it does not name must be refused. Written from SMART App Launch 2.2, "Scopes for requesting FHIR Resources" with
// its sections "Patient-specific scopes", "User-level scopes", "System-level scopes", "Wildcard scopes" and "Finer-grained
// resource constraints using search parameters", and from the HealthLake developer guide, "SMART on FHIR OAuth 2.0 scopes".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operationOf } from '../healthlake/operation.js'
import { conceivable, granted, parse, permits } from '../healthlake/scopes.js'

// The launch is for patient a. The user may see a and b, not c.
const observation = (patient, category) => ({ resourceType: 'Observation', patient, category })
const records = {
  'a, lab': observation('a', 'laboratory'),
  'a, vital': observation('a', 'vital-signs'),
  'b, lab': observation('b', 'laboratory'),
  'c, lab': observation('c', 'laboratory'),
  "a's drug": { resourceType: 'MedicationRequest', patient: 'a' },
  'patient a': { resourceType: 'Patient', patient: 'a' },
  'patient c': { resourceType: 'Patient', patient: 'c' },
  doctor: { resourceType: 'Practitioner' },
}
const facts = {
  patient: 'a', usersPatients: ['a', 'b'],
  patientsIn: (resource) => (resource.resourceType === 'Practitioner' ? undefined : [resource.patient]),
  matches: (resource, filter) => filter.split('&').every((f) => f === `category=${resource.category}` || f === 'status=final'),
}

//  scope                                     a, lab  a, vital  b, lab  c, lab  a's drug  patient a  patient c  doctor
const table = `
    patient/Observation.read                  rs      rs        -       -       -         -          -          -
    patient/Observation.write                 cud     cud       -       -       -         -          -          -
    patient/Observation.*                     cruds   cruds     -       -       -         -          -          -
    patient/Patient.read                      -       -         -       -       -         rs         -          -
    patient/Patient.write                     -       -         -       -       -         cud        -          -
    patient/*.read                            rs      rs        -       -       rs        rs         -          rs
    patient/*.write                           cud     cud       -       -       cud       cud        -          -
    patient/*.*                               cruds   cruds     -       -       cruds     cruds      -          rs
    patient/Practitioner.read                 -       -         -       -       -         -          -          rs
    patient/Practitioner.write                -       -         -       -       -         -          -          -
    user/Observation.read                     rs      rs        rs      -       -         -          -          -
    user/Observation.write                    cud     cud       cud     -       -         -          -          -
    user/Observation.*                        cruds   cruds     cruds   -       -         -          -          -
    user/*.read                               rs      rs        rs      -       rs        rs         -          rs
    user/*.write                              cud     cud       cud     -       cud       cud        -          cud
    user/*.*                                  cruds   cruds     cruds   -       cruds     cruds      -          cruds
    system/Observation.read                   rs      rs        rs      rs      -         -          -          -
    system/Observation.write                  cud     cud       cud     cud     -         -          -          -
    system/*.read                             rs      rs        rs      rs      rs        rs         rs         rs
    system/*.write                            cud     cud       cud     cud     cud       cud        cud        cud
    system/*.*                                cruds   cruds     cruds   cruds   cruds     cruds      cruds      cruds
    patient/Observation.r                     r       r         -       -       -         -          -          -
    patient/Observation.s                     s       s         -       -       -         -          -          -
    patient/Observation.rs                    rs      rs        -       -       -         -          -          -
    patient/Observation.c                     c       c         -       -       -         -          -          -
    patient/Observation.u                     u       u         -       -       -         -          -          -
    patient/Observation.d                     d       d         -       -       -         -          -          -
    patient/Observation.cud                   cud     cud       -       -       -         -          -          -
    patient/Observation.cruds                 cruds   cruds     -       -       -         -          -          -
    patient/*.rs                              rs      rs        -       -       rs        rs         -          rs
    patient/*.cruds                           cruds   cruds     -       -       cruds     cruds      -          rs
    patient/*.cu                              cu      cu        -       -       cu        cu         -          -
    user/Observation.rs                       rs      rs        rs      -       -         -          -          -
    user/Observation.c                        c       c         c       -       -         -          -          -
    user/Practitioner.rs                      -       -         -       -       -         -          -          rs
    user/*.rs                                 rs      rs        rs      -       rs        rs         -          rs
    user/*.cruds                              cruds   cruds     cruds   -       cruds     cruds      -          cruds
    system/Observation.rs                     rs      rs        rs      rs      -         -          -          -
    system/Patient.rs                         -       -         -       -       -         rs         rs         -
    system/*.rs                               rs      rs        rs      rs      rs        rs         rs         rs
    system/*.cud                              cud     cud       cud     cud     cud       cud        cud        cud
    system/*.cruds                            cruds   cruds     cruds   cruds   cruds     cruds      cruds      cruds
    patient/Observation.rs?category=laboratory               rs     -   -   -   -   -   -   -
    patient/Observation.r?category=laboratory                r      -   -   -   -   -   -   -
    patient/Observation.rs?category=vital-signs              -      rs  -   -   -   -   -   -
    patient/Observation.cruds?category=laboratory            cruds  -   -   -   -   -   -   -
    patient/Observation.rs?category=laboratory&status=final  rs     -   -   -   -   -   -   -
    user/Observation.rs?category=laboratory                  rs     -   rs  -   -   -   -   -
    system/Observation.rs?category=laboratory                rs     -   rs  rs  -   -   -   -
    system/Observation.cud?category=laboratory               cud    -   cud cud -   -   -   -
    patient/*.rs?category=laboratory                         -      -   -   -   -   -   -   -
    patient/Observation.read?category=laboratory             -      -   -   -   -   -   -   -
    patient/Observation.rs?                                  -      -   -   -   -   -   -   -
    patient/Observation.sr                    -       -         -       -       -         -          -          -
    patient/Observation.rr                    -       -         -       -       -         -          -          -
    patient/Observation.READ                  -       -         -       -       -         -          -          -
    Patient/Observation.rs                    -       -         -       -       -         -          -          -
    patient/observation.rs                    -       -         -       -       -         -          -          -
    patient/Observation                       -       -         -       -       -         -          -          -
    patient/*                                 -       -         -       -       -         -          -          -
    group/*.rs                                -       -         -       -       -         -          -          -
    launch/patient                            -       -         -       -       -         -          -          -
    openid                                    -       -         -       -       -         -          -          -
`.trim().split('\n').map((line) => line.trim().split(/\s+/))

const letters = ['c', 'r', 'u', 'd', 's']
const allowed = (scopes, resource, given = facts) => letters.filter((p) => permits(scopes, p, resource, given)).join('') || '-'

test('scopes against operations', () => {
  const rows = table.flatMap(([scope, ...cells]) => Object.keys(records).map((name, i) => [scope, name, cells[i]]))
  assert.ok(rows.length >= 200)
  const wrong = rows.map(([scope, name, want]) => [scope, name, want, allowed(granted(scope, 'SMART_ON_FHIR'), records[name])])
    .filter(([, , want, got]) => want !== got)
  assert.deepEqual(wrong, [])
})

test('several scopes give what each gives', () => {
  const scopes = granted('openid patient/Observation.r patient/Observation.cud user/Observation.s?category=laboratory', 'SMART_ON_FHIR')
  assert.equal(allowed(scopes, records['a, lab']), 'cruds')
  assert.equal(allowed(scopes, records['a, vital']), 'crud')
  assert.equal(allowed(scopes, records['b, lab']), 's')
})

test('a datastore with SMART_ON_FHIR_V1 knows no scopes of v2', () => {
  assert.equal(allowed(granted('patient/*.rs', 'SMART_ON_FHIR_V1'), records['a, lab']), '-')
  assert.equal(allowed(granted('patient/*.read', 'SMART_ON_FHIR_V1'), records['a, lab']), 'rs')
})

test('without a patient of the launch, patient/ scopes reach nothing', () => {
  assert.equal(allowed(granted('patient/*.cruds', 'SMART_ON_FHIR'), records['a, lab'], { ...facts, patient: undefined }), '-')
  assert.equal(allowed(granted('patient/*.cruds', 'SMART_ON_FHIR'), records.doctor, { ...facts, patient: undefined }), '-')
})

test('without fine-grained authorization, user/ scopes reach everybody', () => {
  assert.equal(allowed(granted('user/*.rs', 'SMART_ON_FHIR'), records['c, lab'], { ...facts, usersPatients: undefined }), 'rs')
})

test('a record of no patient is nobody\'s', () => {
  const orphan = { resourceType: 'Observation' }
  const given = { ...facts, patientsIn: () => [] }
  assert.equal(allowed(granted('patient/*.cruds user/*.cruds', 'SMART_ON_FHIR'), orphan, given), '-')
  assert.equal(allowed(granted('system/*.cruds', 'SMART_ON_FHIR'), orphan, given), 'cruds')
})

test('a type that no scope names is refused before any record is looked at', () => {
  const scopes = granted('patient/Observation.rs', 'SMART_ON_FHIR')
  assert.equal(conceivable(scopes, 'r', 'Observation'), true)
  assert.equal(conceivable(scopes, 'u', 'Observation'), false)
  assert.equal(conceivable(scopes, 'r', 'Condition'), false)
})

test('a filter is kept as it is written', () => {
  assert.equal(parse('patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory').filter,
    'category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory')
})

// The operations' names are HealthLake's IAM actions; the permissions are SMART's ("Scopes for requesting FHIR Resources").
const operations = `
  GET     Observation/1               ReadResource                  r  Observation
  GET     Observation/1/_history      GetHistoryByResourceId        r  Observation
  GET     Observation/1/_history/2    VersionReadResource           r  Observation
  GET     Observation                 SearchWithGet                 s  Observation
  POST    Observation/_search         SearchWithPost                s  Observation
  POST    Observation                 CreateResource                c  Observation
  PUT     Observation/1               UpdateResource                u  Observation
  PATCH   Observation/1               PatchResource                 u  Observation
  DELETE  Observation/1               DeleteResource                d  Observation
  GET     Patient/1/$everything       SearchEverything              r  Patient
  GET     Patient/$export             StartFHIRExportJobWithGet     -  Patient
  GET     Group/1/$export             StartFHIRExportJobWithGet     -  Group
`.trim().split('\n').map((line) => line.trim().split(/\s+/))

test('operations', () => {
  for (const [method, path, name, permission, type] of operations) {
    const got = operationOf(method, path)
    assert.deepEqual([got.name, got.permission ?? '-', got.type], [name, permission, type], `${method} ${path}`)
  }
  assert.equal(operationOf('POST', '').name, 'ProcessBundle')
  assert.equal(operationOf('GET', 'metadata').name, 'GetCapabilities')
  for (const [method, path] of [['GET', ''], ['TRACE', 'Patient'], ['GET', 'Patient/1/2/3'], ['POST', '$graphql'], ['GET', '../x']]) {
    assert.equal(operationOf(method, path), undefined, `${method} ${path}`)
  }
})
