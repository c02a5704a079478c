// Synthetic FHIR records of the people in people.js, the same in each run.
import { patients, practitioners, relatives } from './people.js'

const loinc = (code, display) => ({ coding: [{ system: 'http://loinc.org', code, display }], text: display })
const snomed = (code, display) => ({ coding: [{ system: 'http://snomed.info/sct', code, display }], text: display })
const rxnorm = (code, display) => ({ coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code, display }], text: display })
const quantity = (value, unit, code = unit) => ({ value, unit, system: 'http://unitsofmeasure.org', code })
const category = (code) => [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code }] }]

const illnesses = {
  hypertension: { code: snomed('59621000', 'Essential hypertension'), medication: rxnorm('314076', 'Lisinopril 10 MG Oral Tablet'), dose: 'One tablet in the morning' },
  diabetes: { code: snomed('44054006', 'Diabetes mellitus type 2'), medication: rxnorm('860975', 'Metformin 500 MG Oral Tablet'), dose: 'One tablet with breakfast and dinner' },
  asthma: { code: snomed('195967001', 'Asthma'), medication: rxnorm('745679', 'Albuterol 90 MCG Inhaler'), dose: 'Two puffs when short of breath' },
  heartFailure: { code: snomed('84114007', 'Heart failure'), medication: rxnorm('313988', 'Furosemide 40 MG Oral Tablet'), dose: 'One tablet in the morning' },
  hypothyroidism: { code: snomed('40930008', 'Hypothyroidism'), medication: rxnorm('966224', 'Levothyroxine 50 MCG Oral Tablet'), dose: 'One tablet before breakfast' },
}

const name = ({ name: [given, family], prefix }) => [{ use: 'official', given: [given], family, ...(prefix && { prefix: [prefix] }) }]
const subject = ({ id }) => ({ reference: `Patient/${id}` })

// wave is a number that goes up and down with the month, differently for each person.
const wave = (person, month, size) => Math.round(size * Math.sin(month * 0.9 + person.id.length))

function* observations(person) {
  const high = person.has.includes('hypertension')
  for (let month = 1; month <= 12; month++) {
    const effectiveDateTime = `2026-${String(month).padStart(2, '0')}-10T09:30:00Z`
    const observation = (kind, of, code, value) => ({
      resourceType: 'Observation', id: `${person.id}-${kind}-${month}`, status: 'final', category: category(of), code,
      subject: subject(person), effectiveDateTime, ...value,
    })
    const relief = high ? 2 * (month - 1) : 0 // the medication works
    yield observation('blood-pressure', 'vital-signs', loinc('85354-9', 'Blood pressure'), {
      component: [
        { code: loinc('8480-6', 'Systolic blood pressure'), valueQuantity: quantity((high ? 158 : 118) - relief + wave(person, month, 6), 'mmHg', 'mm[Hg]') },
        { code: loinc('8462-4', 'Diastolic blood pressure'), valueQuantity: quantity((high ? 96 : 76) - relief / 2 + wave(person, month, 4), 'mmHg', 'mm[Hg]') },
      ],
    })
    yield observation('heart-rate', 'vital-signs', loinc('8867-4', 'Heart rate'), { valueQuantity: quantity(72 + wave(person, month, 8), 'beats/min', '/min') })
    if (month % 3 === 0) {
      yield observation('hba1c', 'laboratory', loinc('4548-4', 'Hemoglobin A1c'), {
        valueQuantity: quantity(Number(((person.has.includes('diabetes') ? 7.9 - month / 10 : 5.2) + wave(person, month, 2) / 10).toFixed(1)), '%'),
      })
    }
  }
}

function* of(person) {
  const links = relatives.filter((r) => r.of === person.id)
  yield {
    resourceType: 'Patient', id: person.id, active: true, name: name(person), gender: person.gender, birthDate: person.born,
    identifier: [{ system: 'https://sandbox.example/mrn', value: `MRN-${1000 + patients.indexOf(person)}` }],
    generalPractitioner: [{ reference: `Practitioner/${person.practitioner}` }],
    ...(links.length && { link: links.map((r) => ({ other: { reference: `RelatedPerson/${r.id}` }, type: 'seealso' })) }),
  }
  for (const illness of person.has) {
    const { code, medication, dose } = illnesses[illness]
    yield {
      resourceType: 'Condition', id: `${person.id}-${illness.toLowerCase()}`, code, subject: subject(person), onsetDateTime: '2025-11-03',
      clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }] },
    }
    yield {
      resourceType: 'MedicationRequest', id: `${person.id}-${illness.toLowerCase()}-medication`, status: 'active', intent: 'order',
      medicationCodeableConcept: medication, subject: subject(person), authoredOn: '2025-11-03',
      requester: { reference: `Practitioner/${person.practitioner}` }, dosageInstruction: [{ text: dose }],
    }
  }
  yield* observations(person)
}

// records returns all resources.
export const records = () => [
  { resourceType: 'Organization', id: 'sandbox-clinic', name: 'Sandbox Clinic' },
  ...practitioners.map((p) => ({ resourceType: 'Practitioner', id: p.id, active: true, name: name(p), gender: p.gender })),
  ...relatives.map((r) => ({
    resourceType: 'RelatedPerson', id: r.id, active: true, name: name(r), gender: r.gender, patient: { reference: `Patient/${r.of}` },
    relationship: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'PRN', display: 'parent' }] }],
  })),
  ...patients.flatMap((person) => [...of(person)]),
]
