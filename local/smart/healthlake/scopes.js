// SMART scopes for FHIR resources, and what they let a request do. Pure: what it needs to know of the records comes in.
//
// SMART App Launch 2.2, "Scopes for requesting FHIR Resources"; HealthLake developer guide, "SMART on FHIR OAuth 2.0 scopes
// supported by HealthLake". What neither of them says is in docs/sandbox.md, as assumed.

// The permissions that v1's words stand for. v2 writes them as letters: create, read, update, delete, search.
const v1 = { read: 'rs', write: 'cud', '*': 'cruds' }

// parse reads one scope: whose data (level), which type, which permissions and, in v2.2, which filter. It returns undefined
// for every other scope, such as openid, and for what is not written as the grammar has it: that grants nothing.
export function parse(text) {
  const found = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]*)\.([a-z]+|\*)(?:\?(.*))?$/.exec(text)
  if (!found) return undefined
  const [, level, type, permissions, filter] = found
  // HealthLake refuses a filter on a wildcard.
  if (filter !== undefined && (type === '*' || !isFilter(filter))) return undefined
  if (filter === undefined && Object.hasOwn(v1, permissions)) return { level, type, permissions: v1[permissions], version: 1 }
  if (!/^c?r?u?d?s?$/.test(permissions)) return undefined
  return { level, type, permissions, version: 2, filter }
}

const isFilter = (text) =>
  text.split('&').every((parameter) => /^[^=]+=.+$/.test(parameter)) && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)

// granted reads a scope claim. A datastore with the strategy SMART_ON_FHIR_V1 knows no other scopes than v1's.
export const granted = (claim, strategy) =>
  claim.split(' ').map(parse).filter((scope) => scope && (scope.version === 1 || strategy === 'SMART_ON_FHIR'))

const covers = (scope, permission, type) => (scope.type === '*' || scope.type === type) && scope.permissions.includes(permission)

// conceivable tells whether the scopes name this permission on this type at all. Where they don't, no record can help.
export const conceivable = (scopes, permission, type) => scopes.some((scope) => covers(scope, permission, type))

// permits tells whether the scopes let a request do this with one resource. facts are
//   patient       id of the patient of the launch, for patient/ scopes; may be undefined
//   usersPatients ids of the patients that the user may see, for user/ scopes; undefined: all of them
//   patientsIn    function of a resource: ids of the patients it belongs to; undefined for types that belong to nobody
//   matches       function of a resource and a filter
export const permits = (scopes, permission, resource, facts) => scopes.some((scope) =>
  covers(scope, permission, resource.resourceType) && reaches(scope.level, permission, resource, facts) &&
  (scope.filter === undefined || facts.matches(resource, scope.filter)))

function reaches(level, permission, resource, { patient, usersPatients, patientsIn }) {
  if (level === 'system' || (level === 'user' && !usersPatients)) return true
  if (level === 'patient' && !patient) return false
  const patients = patientsIn(resource)
  // Practitioners, organizations and the like: an app needs them to show a record, and a patient's app must not change them.
  if (!patients) return level === 'user' || permission === 'r' || permission === 's'
  return patients.some((id) => (level === 'patient' ? id === patient : usersPatients.includes(id)))
}
