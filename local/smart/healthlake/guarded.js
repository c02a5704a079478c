// The repository as one request sees it: every record that it reads, finds or changes is checked, in a bundle too.
import { OperationOutcomeError, badRequest } from '@medplum/core'
import { FhirRepository } from '@medplum/fhir-router'
import { Refusal, notHere } from './outcome.js'
import { know, searchParameter } from './records.js'

const pageSize = 20

// Under this key a search result has whether there is another page.
export const hasMore = Symbol('more')

export class GuardedRepository extends FhirRepository {
  #store
  #may

  // may is a function of a permission and a record. A refused search result is left out; everything else is refused.
  constructor(store, may) {
    super()
    this.#store = store
    this.#may = may
  }

  #check(permission, resource) {
    if (this.#may(permission, resource)) return resource
    throw new Refusal('the scopes', 'forbidden',
      `The token's scopes don't permit this on ${resource.resourceType}/${resource.id ?? '(new)'}.`)
  }

  setMode() {}

  generateId() {
    return this.#store.generateId()
  }

  // In a bundle the library has given the resource its id already, since other entries refer to it.
  async createResource(resource, options) {
    know(resource.resourceType)
    this.#check('c', resource)
    return this.#store.createResource({ ...resource, id: (options?.assignedId && resource.id) || this.generateId(), meta: undefined })
  }

  async readResource(type, id) {
    return this.#check('r', await this.#store.readResource(type, id))
  }

  async readReference(reference) {
    return this.#check('r', await this.#store.readReference(reference))
  }

  async readReferences(references) {
    return Promise.all(references.map((r) => this.readReference(r).catch((error) => error)))
  }

  async readVersion(type, id, version) {
    return this.#check('r', await this.#store.readVersion(type, id, version))
  }

  async readHistory(type, id) {
    await this.readResource(type, id)
    const bundle = await this.#store.readHistory(type, id)
    this.#store.history.get(type).get(id).reverse() // the library has turned its own list round
    const entry = bundle.entry.filter(({ resource }) => this.#may('r', resource))
    return { ...bundle, total: entry.length, entry }
  }

  async updateResource(resource, options) {
    know(resource.resourceType)
    const before = await this.#store.readResource(resource.resourceType, resource.id).catch(() => undefined)
    if (before) this.#check('u', before)
    return this.#store.updateResource(this.#check('u', resource), options)
  }

  async patchResource(type, id, patch) {
    const scratch = await this.#store.readResource(type, id)
    this.#check('u', scratch)
    const changed = await this.#store.patchResource(type, id, patch)
    if (this.#may('u', changed)) return changed
    await this.#store.updateResource(scratch)
    return this.#check('u', changed)
  }

  async deleteResource(type, id) {
    this.#check('d', await this.#store.readResource(type, id))
    await this.#store.deleteResource(type, id)
  }

  async search(request) {
    const { resourceType, offset = 0, count = pageSize } = request
    if (request.include || request.revInclude) throw notHere('_include')
    know(resourceType)
    const filters = request.filters?.map((filter) => searchable(resourceType, filter))
    const found = await this.#store.search({ ...request, filters, offset: undefined, count: undefined })
    const visible = (found.entry ?? []).filter(({ resource }) => this.#may('s', resource))
    const entry = visible.slice(offset, offset + count).map(({ resource }) => ({
      fullUrl: `${resource.resourceType}/${resource.id}`, resource, search: { mode: 'match' },
    }))
    return { resourceType: 'Bundle', type: 'searchset', total: visible.length, entry, [hasMore]: offset + count < visible.length }
  }

  async searchByReference() {
    throw notHere('This search')
  }

  // A transaction is carried out wholly or not at all.
  async withTransaction(callback) {
    const copy = (map) => new Map([...map].map(([type, records]) => [type, new Map(records)]))
    const { resources, history } = this.#store
    const before = { resources: copy(resources), history: copy(history) }
    try {
      return await callback(undefined)
    } catch (error) {
      Object.assign(this.#store, before)
      throw error
    }
  }
}

// The kinds of parameters that the library searches by.
const kinds = ['reference', 'string', 'uri', 'token', 'date']

// searchable returns a filter as the library wants it. It does not know bare ids, and finds nothing by what it does not know;
// an error is better than an empty result.
function searchable(type, filter) {
  const parameter = searchParameter(type, filter.code)
  if (!parameter) throw new OperationOutcomeError(badRequest(`Search parameter ${filter.code} is unknown for ${type}.`))
  if (!kinds.includes(parameter.type)) throw notHere(`Search by ${filter.code}`)
  if (parameter.type !== 'reference' || filter.operator === 'missing') return filter
  const targets = /^(patient|subject)$/.test(filter.code) ? ['Patient'] : (parameter.target ?? [])
  const value = filter.value.split(',').flatMap((word) => {
    const [kind, id] = word.split('/').slice(-2)
    return id ? `${kind}/${id}` : targets.map((target) => `${target}/${word}`)
  })
  return { ...filter, value: value.join(',') }
}
