// Fine-grained authorization: which patients the user of a token may reach with user/ scopes (HealthLake developer guide,
// "Using fine-grained authorization with a SMART on FHIR enabled HealthLake data store"). Pure.

// reference is the "Type/id" at the end of a fhirUser claim or a reference, which may be an absolute URL.
export const reference = (text) => /(?:^|\/)([A-Z][A-Za-z]*\/[A-Za-z0-9.-]{1,64})$/.exec(text ?? '')?.[1]

// usersPatients returns the ids of those patients. A user who is neither of the three, or unknown, reaches nobody.
export function usersPatients(fhirUser, patients) {
  const user = reference(fhirUser)
  const names = (references) => (references ?? []).some((r) => reference(r?.reference) === user)
  const linked = (patient) => names(patient.link?.map((link) => link.other))
  const reached = {
    Practitioner: (patient) => names(patient.generalPractitioner),
    Patient: (patient) => `Patient/${patient.id}` === user || linked(patient),
    RelatedPerson: linked,
  }[user?.split('/')[0]]
  return reached ? patients.filter(reached).map((patient) => patient.id) : []
}
