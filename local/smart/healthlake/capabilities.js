// The CapabilityStatement, as far as the sandbox goes.
import { inCompartment } from './records.js'

const interactions = ['read', 'vread', 'history-instance', 'search-type', 'create', 'update', 'patch', 'delete']
const shared = ['Practitioner', 'PractitionerRole', 'Organization', 'Location', 'Medication']

export function capabilityStatement(base, datastore) {
  const { authorization_endpoint: authorize, token_endpoint: token } = JSON.parse(datastore.metadata)
  return {
    resourceType: 'CapabilityStatement', status: 'active', date: '2026-01-01', kind: 'instance', fhirVersion: '4.0.1',
    format: ['application/fhir+json'], implementation: { description: 'Sandbox in the place of AWS HealthLake', url: base },
    rest: [{
      mode: 'server',
      security: {
        cors: true,
        service: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'SMART-on-FHIR' }] }],
        extension: [{
          url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
          extension: [{ url: 'authorize', valueUri: authorize }, { url: 'token', valueUri: token }],
        }],
      },
      resource: ['Patient', ...inCompartment(), ...shared].map((type) => ({ type, interaction: interactions.map((code) => ({ code })) })),
      interaction: [{ code: 'transaction' }, { code: 'batch' }],
      operation: [{ name: 'everything', definition: 'http://hl7.org/fhir/OperationDefinition/Patient-everything' }],
    }],
  }
}
