// Clients that know nothing of the sandbox: openid-client, fhirclient in Node, and plain HTTP.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import fhirclient from 'fhirclient'
import * as oidc from 'openid-client'
import { clientsOf, redirect } from './clients.js'
import { signIn, startSandbox } from './sandbox.js'

let sandbox, discover, tokens, backend, fhir
before(async () => {
  sandbox = await startSandbox();
  ({ discover, tokens, backend, fhir } = clientsOf(sandbox))
})
after(async () => assert.equal(await sandbox.stop(), 0, 'the status after SIGTERM'))

test('discovery, PKCE, ID token, launch context, refresh and revocation', async () => {
  const { config, response } = await tokens({
    scope: 'openid fhirUser launch/patient patient/*.rs offline_access', account: 'dr-brandt', patient: 'aiko-tanaka',
  })
  assert.equal(response.scope, 'openid fhirUser launch/patient patient/*.rs offline_access')
  assert.equal(response.token_type, 'bearer')
  assert.equal(response.patient, 'aiko-tanaka')
  assert.equal(response.need_patient_banner, true)
  assert.equal(response.claims().fhirUser, `${sandbox.base}Practitioner/lena-brandt`)
  assert.equal((await fhir(response.access_token, 'Patient/aiko-tanaka')).status, 200)

  const fresh = await oidc.refreshTokenGrant(config, response.refresh_token)
  assert.equal(fresh.patient, 'aiko-tanaka')
  assert.equal((await fhir(fresh.access_token, 'Patient/aiko-tanaka')).status, 200)
  assert.equal((await fhir(fresh.refresh_token ?? response.refresh_token, 'Patient/aiko-tanaka')).status, 401)
  assert.equal((await fhir(response.id_token, 'Patient/aiko-tanaka')).status, 401)

  await oidc.tokenRevocation(config, fresh.access_token)
  const refused = await fhir(fresh.access_token, 'Patient/aiko-tanaka')
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate'), /^Bearer error="invalid_token"/)
  assert.equal(refused.body.resourceType, 'OperationOutcome')
})

test('the discovery document is the synthesized metadata, readable from any origin', async () => {
  const response = await fetch(new URL('.well-known/smart-configuration', sandbox.base), { headers: { Origin: 'https://app.example' } })
  assert.equal(response.headers.get('access-control-allow-origin'), '*')
  assert.match(response.headers.get('content-type'), /^application\/json/)
  const document = await response.json()
  const provider = (await discover('sandbox-app', oidc.None())).serverMetadata()
  for (const name of ['issuer', 'jwks_uri', 'authorization_endpoint', 'token_endpoint', 'revocation_endpoint']) assert.equal(document[name], provider[name], name)
  assert.deepEqual(document.code_challenge_methods_supported, ['S256'])
  for (const capability of ['launch-ehr', 'launch-standalone', 'client-public', 'sso-openid-connect', 'permission-v2.2']) assert.ok(document.capabilities.includes(capability), capability)
  const metadata = await (await fetch(new URL('metadata', sandbox.base))).json()
  assert.equal(metadata.rest[0].security.extension[0].extension[1].valueUri, document.token_endpoint)
})

test('a request without a right PKCE challenge, aud or redirect gets no code', async () => {
  const good = { client_id: 'sandbox-app', response_type: 'code', scope: 'patient/*.rs', redirect_uri: redirect, state: 's', aud: sandbox.base,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
  const answer = async (change) => {
    const response = await fetch(`${sandbox.issuer}authorize?${new URLSearchParams({ ...good, ...change })}`, { redirect: 'manual' })
    return response.headers.get('location') ?? await response.text()
  }
  assert.match(await answer({}), /\/interaction\//)
  assert.match(await answer({ code_challenge_method: 'plain' }), /error=invalid_request/)
  assert.match(await answer({ code_challenge: '' }), /error=invalid_request/)
  assert.match(await answer({ aud: 'https://other.example/fhir' }), /error=invalid_request/)
  assert.match(await answer({ redirect_uri: 'https://evil.example/' }), /^invalid_redirect_uri/)
})

test('a person grants less than the app asks for', async () => {
  const { response } = await tokens({ scope: 'openid launch/patient patient/*.rs patient/Observation.c', account: 'maria', without: ['patient/Observation.c'] })
  assert.equal(response.scope, 'openid launch/patient patient/*.rs')
  assert.equal(response.patient, 'maria-lopez')
})

test('nobody gets the patient of somebody else, and an app no system/ scopes', async () => {
  await assert.rejects(tokens({ scope: 'launch/patient patient/*.rs', account: 'maria', patient: 'arthur-finch' }), ({ error }) => error === 'access_denied')
  const { response } = await tokens({ scope: 'launch/patient patient/*.rs system/*.rs', account: 'jonas' })
  assert.equal(response.scope, 'launch/patient patient/*.rs')
  assert.equal(response.patient, 'mia-weber')
})

test('user/ scopes reach the user\'s own patients', async () => {
  const seen = async (account) => {
    const { response } = await tokens({ scope: 'openid fhirUser user/*.rs', account })
    return (await fhir(response.access_token, 'Patient?_count=50')).body.entry.map(({ resource }) => resource.id).sort()
  }
  assert.equal((await seen('dr-brandt')).length, 7)
  assert.deepEqual(await seen('maria'), ['maria-lopez'])
  assert.deepEqual(await seen('jonas'), ['mia-weber'])
})

test('a filter narrows a search and a read', async () => {
  const { response } = await tokens({ scope: 'launch/patient patient/Observation.rs?category=laboratory', account: 'maria' })
  const { body } = await fhir(response.access_token, 'Observation?_count=50')
  assert.equal(body.total, 4)
  assert.equal((await fhir(response.access_token, 'Observation/maria-lopez-hba1c-3')).status, 200)
  assert.equal((await fhir(response.access_token, 'Observation/maria-lopez-heart-rate-3')).status, 403)
  assert.equal((await fhir(response.access_token, 'Condition')).status, 403)
})

test('backend service: create, history, update, search, paging, everything, transaction, delete', async () => {
  const token = await backend('system/*.cruds')
  const created = await fhir(token, 'Observation', { method: 'POST', body: {
    resourceType: 'Observation', status: 'final', code: { text: 'test' }, subject: { reference: 'Patient/raj-patel' }, effectiveDateTime: '2026-12-01' } })
  assert.equal(created.status, 201)
  const { id } = created.body
  assert.equal(created.headers.get('location'), `${sandbox.base}Observation/${id}`)
  assert.equal((await fhir(token, `Observation/${id}`, { method: 'PUT', body: { ...created.body, status: 'amended' } })).body.status, 'amended')
  for (let i = 0; i < 2; i++) {
    const history = (await fhir(token, `Observation/${id}/_history`)).body.entry.map(({ resource }) => resource.status)
    assert.deepEqual(history, ['amended', 'final'])
  }
  assert.equal((await fhir(token, 'Observation?patient=raj-patel&date=ge2026-12-01&code:text=x')).status < 500, true)
  let url = 'Observation?patient=raj-patel&_count=10'
  let pages = 0
  for (; url; pages++) url = (await fhir(token, url)).body.link.find(({ relation }) => relation === 'next')?.url
  assert.equal(pages, 3)
  const everything = (await fhir(token, 'Patient/raj-patel/$everything')).body
  assert.ok(everything.entry.some(({ resource }) => resource.resourceType === 'MedicationRequest'))
  const entry = (method, to, resource) => ({ resource, request: { method, url: to } })
  const urn = 'urn:uuid:6b1f0f34-5d0c-4d7c-9a2e-0b1d8a3c1f00'
  const whole = await fhir(token, '', { method: 'POST', body: { resourceType: 'Bundle', type: 'transaction', entry: [
    { fullUrl: urn, ...entry('POST', 'Patient', { resourceType: 'Patient', name: [{ family: 'Whole' }] }) },
    entry('POST', 'Condition', { resourceType: 'Condition', subject: { reference: urn }, code: { text: 'test' } })] } })
  assert.equal(whole.body.entry[1].resource.subject.reference, `Patient/${whole.body.entry[0].resource.id}`)
  assert.equal((await fhir(token, `Condition?patient=${whole.body.entry[0].resource.id}`)).body.total, 1)
  const broken = await fhir(token, '', { method: 'POST', body: { resourceType: 'Bundle', type: 'transaction', entry: [
    entry('POST', 'Patient', { resourceType: 'Patient', active: true, name: [{ family: 'Undone' }] }), entry('PUT', 'Patient/one', { resourceType: 'Patient', id: 'another' })] } })
  assert.ok(broken.status >= 400)
  assert.equal((await fhir(token, 'Patient?family=Undone')).body.total, 0)
  assert.equal((await fhir(token, `Observation/${id}`, { method: 'DELETE' })).status, 200)
  assert.equal((await fhir(token, `Observation/${id}`)).status, 404)
})

test('what a token does not cover is refused, and who refused it is on the requests feed', async () => {
  const reading = await backend('system/Patient.rs')
  assert.equal((await fhir(reading, 'Patient/maria-lopez', { method: 'DELETE' })).status, 403)
  assert.equal((await fhir(reading, 'Observation')).status, 403)
  assert.equal((await fhir(reading, 'Patient/$export')).status, 403)
  assert.equal((await fhir(reading, 'Patient?_include=Patient:general-practitioner')).status, 501)
  assert.equal((await fhir('made-up', 'Patient')).status, 401)
  const feed = await fetch(`${sandbox.requests}/events`)
  const reader = feed.body.getReader()
  let text = ''
  while (!text.includes('bearerToken":"<7 characters>"')) text += Buffer.from((await reader.read()).value).toString()
  await reader.cancel()
  const lines = text.split('\n\n').filter(Boolean).map((line) => JSON.parse(line.replace(/^data: /, '')))
  const of = (test) => lines.find(test)
  assert.equal(of((l) => l.operation === 'DeleteResource' && l.status === 403).refusedBy, 'the scopes')
  assert.equal(of((l) => l.operation === 'StartFHIRExportJobWithGet').refusedBy, 'the role')
  assert.equal(of((l) => l.operation === 'SearchWithGet' && l.path === 'Observation' && l.status === 403).refusedBy, 'the scopes')
  const madeUp = of((l) => l.status === 401 && l.event?.bearerToken === '<7 characters>')
  assert.equal(madeUp.reason, 'inactive')
  assert.match(madeUp.fix, /Get a new token/)
  assert.ok(!text.includes(reading))
})

test('a search by POST', async () => {
  const response = await fetch(`${sandbox.base}Observation/_search`, {
    method: 'POST', headers: { Authorization: `Bearer ${await backend('system/*.rs')}` }, body: new URLSearchParams({ patient: 'maria-lopez', category: 'laboratory', _count: '3' }),
  })
  const bundle = await response.json()
  assert.equal(bundle.total, 4)
  assert.equal(bundle.entry.length, 3)
  assert.match(bundle.link[1].url, /Observation\?.*_offset=3$/)
})

test('with healthLakeAccess read-only, the role refuses what the scopes permit', async () => {
  const other = await startSandbox({ args: ['-c', 'healthLakeAccess=read-only'] })
  try {
    const client = clientsOf(other)
    const token = await client.backend('system/*.cruds')
    assert.equal((await client.fhir(token, 'Patient/maria-lopez')).status, 200)
    const refused = await client.fhir(token, 'Patient/maria-lopez', { method: 'DELETE' })
    assert.equal(refused.status, 403)
    assert.match(refused.body.issue[0].diagnostics, /Role-for-HealthLake may not healthlake:DeleteResource/)
  } finally {
    await other.stop()
  }
})

test('one\'s own records, and a provider that is down', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sandbox-'))
  await writeFile(path.join(directory, 'people.ndjson'), [
    { resourceType: 'Practitioner', id: 'own', name: [{ family: 'Doctor' }] },
    { resourceType: 'Patient', id: 'mine', generalPractitioner: [{ reference: 'Practitioner/own' }] },
  ].map((resource) => JSON.stringify(resource)).join('\n'))
  const other = await startSandbox({ args: ['--down'], env: { DATA: directory } })
  try {
    const client = clientsOf(other)
    const { response } = await client.tokens({ scope: 'launch/patient patient/*.rs', account: 'practitioner-own' })
    assert.equal(response.patient, 'mine')
    const refused = await client.fhir(response.access_token, 'Patient/mine')
    assert.equal(refused.status, 500)
    assert.match(refused.body.issue[0].diagnostics, /idp_unreachable/)
  } finally {
    await other.stop()
    await rm(directory, { recursive: true })
  }
})

test('fhirclient in Node: standalone launch', async () => {
  const stored = new Map()
  const storage = { get: async (key) => stored.get(key), set: async (key, value) => { stored.set(key, value); return value }, unset: async (key) => stored.delete(key) }
  const app = createServer(async (request, response) => {
    const smart = fhirclient(request, response, storage)
    if (request.url === '/launch') {
      await smart.authorize({ iss: sandbox.base, clientId: 'sandbox-app', scope: 'launch/patient patient/*.rs openid fhirUser', redirectUri: `http://127.0.0.1:${app.address().port}/callback`, pkceMode: 'required' })
    } else {
      const client = await smart.ready()
      const patient = await client.patient.read()
      const found = await client.request(`Observation?patient=${client.patient.id}&_count=5`, { pageLimit: 2, flat: true })
      response.end(JSON.stringify({ id: patient.id, found: found.length, user: client.user.fhirUser }))
    }
  })
  await new Promise((resolve) => { app.listen(0, '127.0.0.1', resolve) })
  try {
    const start = await fetch(`http://127.0.0.1:${app.address().port}/launch`, { redirect: 'manual' })
    const back = await signIn(start.headers.get('location'), { account: 'dr-brandt', patient: 'omar-haddad' })
    const result = await (await fetch(back)).json()
    assert.deepEqual(result, { id: 'omar-haddad', found: 10, user: 'Practitioner/lena-brandt' })
  } finally {
    app.close()
  }
})
