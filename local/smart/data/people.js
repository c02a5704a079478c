// Who is in the sandbox. All of them are invented.

export const practitioners = [
  { id: 'lena-brandt', name: ['Lena', 'Brandt'], prefix: 'Dr.', gender: 'female' },
  { id: 'samuel-osei', name: ['Samuel', 'Osei'], prefix: 'Dr.', gender: 'male' },
]

// practitioner is whose patient somebody is (Patient.generalPractitioner); conditions and medications are names in records.js.
export const patients = [
  { id: 'maria-lopez', name: ['Maria', 'Lopez'], gender: 'female', born: '1969-03-14', practitioner: 'lena-brandt', has: ['hypertension', 'diabetes'] },
  { id: 'mia-weber', name: ['Mia', 'Weber'], gender: 'female', born: '2017-08-02', practitioner: 'lena-brandt', has: ['asthma'], relative: 'jonas-weber' },
  { id: 'arthur-finch', name: ['Arthur', 'Finch'], gender: 'male', born: '1948-11-30', practitioner: 'lena-brandt', has: ['hypertension', 'heartFailure'] },
  { id: 'aiko-tanaka', name: ['Aiko', 'Tanaka'], gender: 'female', born: '1982-06-21', practitioner: 'lena-brandt', has: ['hypothyroidism'] },
  { id: 'omar-haddad', name: ['Omar', 'Haddad'], gender: 'male', born: '1975-01-09', practitioner: 'lena-brandt', has: ['diabetes'] },
  { id: 'grace-mensah', name: ['Grace', 'Mensah'], gender: 'female', born: '1991-12-05', practitioner: 'lena-brandt', has: [] },
  { id: 'leo-virtanen', name: ['Leo', 'Virtanen'], gender: 'male', born: '1960-05-17', practitioner: 'lena-brandt', has: ['hypertension'] },
  { id: 'nora-lindqvist', name: ['Nora', 'Lindqvist'], gender: 'female', born: '1955-09-27', practitioner: 'samuel-osei', has: ['heartFailure'] },
  { id: 'raj-patel', name: ['Raj', 'Patel'], gender: 'male', born: '1988-02-11', practitioner: 'samuel-osei', has: ['asthma'] },
  { id: 'chloe-martin', name: ['Chloé', 'Martin'], gender: 'female', born: '2002-07-23', practitioner: 'samuel-osei', has: ['asthma'] },
  { id: 'peter-novak', name: ['Peter', 'Novák'], gender: 'male', born: '1966-10-08', practitioner: 'samuel-osei', has: ['hypertension', 'diabetes'] },
  { id: 'amara-diallo', name: ['Amara', 'Diallo'], gender: 'female', born: '1979-04-30', practitioner: 'samuel-osei', has: ['hypothyroidism'] },
]

// Parents, each of one patient (Patient.link.other).
export const relatives = [{ id: 'jonas-weber', name: ['Jonas', 'Weber'], gender: 'male', of: 'mia-weber' }]

// Who can log in at the provider.
export const accounts = [
  { id: 'dr-brandt', name: 'Dr. Lena Brandt', is: 'Clinician', about: 'sees the seven patients whose general practitioner she is', fhirUser: 'Practitioner/lena-brandt' },
  { id: 'maria', name: 'Maria Lopez', is: 'Patient', about: 'sees her own record', fhirUser: 'Patient/maria-lopez' },
  { id: 'jonas', name: 'Jonas Weber', is: 'Parent', about: 'sees the record of his daughter Mia', fhirUser: 'RelatedPerson/jonas-weber' },
]
