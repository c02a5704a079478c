// HealthLake's front: discovery, the function's verdict, the scopes, the role's policies, and then the records.
import { FhirRouter, makeSimpleRequest } from '@medplum/fhir-router'
import { capabilityStatement } from './capabilities.js'
import { usersPatients } from './finegrained.js'
import { validate } from './function.js'
import { GuardedRepository, hasMore } from './guarded.js'
import { operationOf } from './operation.js'
import { Refusal, notHere, statusOf } from './outcome.js'
import { all, inCompartment, matches, patientsIn } from './records.js'
import { conceivable, granted, permits } from './scopes.js'

const router = new FhirRouter()
const cors = {
  'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*, Authorization', 'Access-Control-Allow-Methods': '*',
  'Access-Control-Expose-Headers': '*',
}
const fhir = { 'Content-Type': 'application/fhir+json; charset=utf-8', 'Cache-Control': 'no-store', ...cors }

// healthLake returns a request listener. Its parts are
//   base        the FHIR base URL, with a slash at its end
//   datastore   {id, name, strategy, fineGrained, metadata} from the synthesized template
//   repository  the records
//   invokeURL   where the function is invoked
//   mayRole     async function of a role's ARN and an operation's name
//   report      function that gets what came of each request with an operation
export function healthLake({ base, datastore, repository, invokeURL, mayRole, report }) {
  const root = new URL(base).pathname

  async function respond(request, response) {
    if (request.method === 'OPTIONS') return response.writeHead(204, cors).end()
    const url = new URL(request.url, base)
    const path = decodeURIComponent(url.pathname.slice(root.length))
    if (path === '.well-known/smart-configuration' && request.method === 'GET') {
      return response.writeHead(200, { ...cors, 'Content-Type': 'application/json' }).end(datastore.metadata)
    }
    const begin = performance.now()
    const line = { time: new Date().toISOString(), method: request.method, path: path + url.search }
    let result
    try {
      result = await carryOut(request, path, url, line)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      Object.assign(line, { refusedBy: error.by, call: line.call ?? error.call })
      result = [error.outcome]
    }
    const [outcome, resource] = result
    const status = statusOf(outcome)
    if (!resource && status >= 400) line.refusedBy ??= status === 403 ? 'the scopes' : undefined
    if (line.operation) report({ ...line, status, diagnostics: status >= 400 ? text(outcome) : undefined, total: performance.now() - begin })
    const challenge = status === 401 && { 'WWW-Authenticate': 'Bearer error="invalid_token"' }
    const version = resource?.meta?.versionId && { ETag: `W/"${resource.meta.versionId}"` }
    const location = status === 201 && { Location: `${base}${resource.resourceType}/${resource.id}` }
    response.writeHead(status, { ...fhir, ...challenge, ...version, ...location }).end(JSON.stringify(resource ?? outcome))
  }

  // carryOut returns the outcome and the resource; line gets what the requests page shows.
  async function carryOut(request, path, url, line) {
    const operation = operationOf(request.method, path)
    if (!operation) throw notHere(`${request.method} ${path || 'on the base URL'}`)
    if (operation.name === 'GetCapabilities') return [{ id: 'ok' }, capabilityStatement(base, datastore)]
    line.operation = operation.name
    const token = /^Bearer +(\S.*)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (!token) throw new Refusal('the front', 'login', 'There is no bearer token.')
    line.call = await validate(invokeURL, {
      datastoreEndpoint: base, bearerToken: token, operationName: operation.name, datastoreId: datastore.id,
      datastoreTypeVersion: 'R4', datastoreName: datastore.name,
    })
    const { authPayload: claims, iamRoleARN } = line.call.response
    const scopes = granted(claims.scope, datastore.strategy)
    if (scopes.length === 0) throw new Refusal('the scopes', 'forbidden', 'The token has no scope for FHIR resources.')
    if (operation.permission && !conceivable(scopes, operation.permission, operation.type)) {
      throw new Refusal('the scopes', 'forbidden', `None of the token's scopes permits this on ${operation.type}.`)
    }
    if (!(await mayRole(iamRoleARN, operation.name))) {
      throw new Refusal('the role', 'forbidden', `${iamRoleARN} may not healthlake:${operation.name}.`)
    }
    if (!operation.served) throw notHere(operation.name)
    const facts = {
      patient: claims.patient, patientsIn, matches,
      usersPatients: datastore.fineGrained ? usersPatients(claims.fhirUser, await all(repository, 'Patient')) : undefined,
    }
    const guarded = new GuardedRepository(repository, (permission, resource) => permits(scopes, permission, resource, facts))
    if (operation.name === 'SearchEverything') return [{ id: 'ok' }, await everything(guarded, operation.id)]
    return ask(guarded, request, path, url)
  }

  async function ask(guarded, request, path, url) {
    const body = await read(request)
    const [outcome, resource, ...rest] = await router.handleRequest(
      { ...makeSimpleRequest(request.method, path + url.search, body), headers: request.headers, config: { transactions: true } }, guarded)
    return [outcome, resource?.type === 'searchset' ? paged(resource, url, body, request.method) : resource, ...rest]
  }

  // A searchset with absolute URLs and the links to this page and the next.
  function paged(bundle, url, body, method) {
    const search = new URL(url.pathname.replace(/\/_search$/, ''), base)
    search.search = new URLSearchParams(method === 'POST' ? body : url.searchParams)
    const link = [{ relation: 'self', url: search.href }]
    if (bundle[hasMore]) {
      search.searchParams.set('_offset', Number(search.searchParams.get('_offset') ?? 0) + bundle.entry.length)
      link.push({ relation: 'next', url: search.href })
    }
    return { ...bundle, link, entry: bundle.entry.map((entry) => ({ ...entry, fullUrl: base + entry.fullUrl })) }
  }

  async function everything(guarded, id) {
    const found = [await guarded.readResource('Patient', id)]
    for (const type of inCompartment()) {
      const { entry } = await guarded.search({ resourceType: type, count: Infinity })
      found.push(...entry.map(({ resource }) => resource).filter((resource) => patientsIn(resource).includes(id)))
    }
    const entry = found.map((resource) => ({ fullUrl: `${base}${resource.resourceType}/${resource.id}`, resource }))
    return { resourceType: 'Bundle', type: 'searchset', total: entry.length, entry }
  }

  return respond
}

const text = (outcome) => outcome.issue?.[0]?.diagnostics ?? outcome.issue?.[0]?.details?.text ?? ''
const mostBytes = 5 << 20

// read returns the body: an object of search parameters, or what the JSON says.
async function read(request) {
  let body = ''
  for await (const part of request.setEncoding('utf8')) {
    body += part
    if (body.length > mostBytes) throw new Refusal('the front', 'too-long', 'The body is larger than 5 MiB.')
  }
  if (/^application\/x-www-form-urlencoded/.test(request.headers['content-type'])) return Object.fromEntries(new URLSearchParams(body))
  if (!body) return undefined
  try {
    return JSON.parse(body)
  } catch {
    throw new Refusal('the front', 'structure', 'The body is not JSON.')
  }
}
