// Requirements of SMART App Launch 2.2.0 on servers that the metadata, the function and the sandbox can show. @n is the number of
// a requirement in docs/conformance.md.
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { SignJWT, decodeProtectedHeader } from 'jose'
import { makeProvider } from '../provider/provider.js'
import { clientsOf, redirect } from './clients.js'
import { startSandbox } from './sandbox.js'

let sandbox, authorize, tokens, backend, post, fhir
before(async () => {
  sandbox = await startSandbox();
  ({ authorize, tokens, backend, post, fhir } = clientsOf(sandbox))
})
after(() => sandbox.stop())

const clinician = { account: 'dr-brandt', patient: 'maria-lopez' }
const scope = 'openid fhirUser launch/patient patient/*.rs offline_access'
const redeem = ({ back, verifier }, change) => post('token', {
  grant_type: 'authorization_code', client_id: 'sandbox-app', code: back.searchParams.get('code'), redirect_uri: redirect, code_verifier: verifier, ...change,
})

test('discovery: @30 @126 @228 @285 @286 @287 @288 @289 @372 @373 @374 @376 @377 @378 @380 @381 @382 @383 @384 @385 @389 @390 @392 @393 @394', async () => {
  const response = await fetch(`${sandbox.base}.well-known/smart-configuration`, { headers: { Accept: 'text/html' } })
  assert.equal(response.headers.get('content-type'), 'application/json')
  const document = await response.json()
  for (const [name, value] of Object.entries(document)) if (/_endpoint$|_uri$|^issuer$/.test(name)) assert.ok(URL.canParse(value), name)
  for (const name of ['issuer', 'jwks_uri', 'authorization_endpoint', 'token_endpoint', 'revocation_endpoint']) assert.ok(document[name], name)
  assert.deepEqual(document.grant_types_supported, ['authorization_code', 'client_credentials'])
  assert.deepEqual(document.response_types_supported, ['code'])
  assert.deepEqual(document.code_challenge_methods_supported, ['S256'])
  assert.ok(document.scopes_supported.includes('patient/*.rs'))
  assert.ok(document.capabilities.includes('permission-v1') && document.capabilities.includes('client-confidential-asymmetric'))
  // What the datastore's document says of the token endpoint is what the provider's own says.
  const provider = await (await fetch(`${sandbox.issuer}.well-known/openid-configuration`)).json()
  for (const name of ['token_endpoint_auth_methods_supported', 'token_endpoint_auth_signing_alg_values_supported']) {
    assert.deepEqual([...document[name]].sort(), [...provider[name]].sort(), name)
  }
  assert.ok(document.token_endpoint_auth_methods_supported.includes('private_key_jwt'))
  assert.ok(document.token_endpoint_auth_signing_alg_values_supported.includes('ES384'))
})

test('capability sets: @346 @348 @349 @350 @351', async () => {
  const { capabilities } = await (await fetch(`${sandbox.base}.well-known/smart-configuration`)).json()
  const all = (...names) => names.forEach((name) => assert.ok(capabilities.includes(name), name))
  all('launch-standalone', 'launch-ehr', 'client-public', 'client-confidential-symmetric', 'context-standalone-patient', 'context-ehr-patient')
  all('permission-patient', 'permission-user', 'permission-offline', 'sso-openid-connect')
})

test('CORS: @16 @17', async () => {
  for (const path of ['.well-known/smart-configuration', 'metadata', 'Patient']) {
    assert.equal((await fetch(sandbox.base + path, { headers: { Origin: 'https://app.example' } })).headers.get('access-control-allow-origin'), '*', path)
  }
  const preflight = await fetch(`${sandbox.base}Patient`, { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Headers': 'authorization' } })
  assert.match(preflight.headers.get('access-control-allow-headers'), /Authorization/)
  const token = await fetch(`${sandbox.issuer}token`, { method: 'POST', headers: { Origin: 'https://app.example' }, body: new URLSearchParams({ grant_type: 'authorization_code', client_id: 'sandbox-app' }) })
  assert.equal(token.headers.get('access-control-allow-origin'), 'https://app.example')
})

test('authorization: @14 @15 @18 @31 @48 @53 @54 @56 @57 @59', async () => {
  const good = { client_id: 'sandbox-app', response_type: 'code', scope, redirect_uri: redirect, state: 'xyz', aud: sandbox.base,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
  assert.match((await fetch(`${sandbox.issuer}authorize?${new URLSearchParams(good)}`, { redirect: 'manual' })).headers.get('location'), /\/interaction\//)
  const plain = await fetch(`${sandbox.issuer}authorize?${new URLSearchParams({ ...good, code_challenge_method: 'plain' })}`, { redirect: 'manual' })
  assert.match(plain.headers.get('location'), /error=invalid_request/)
  const elsewhere = await fetch(`${sandbox.issuer}authorize?${new URLSearchParams({ ...good, redirect_uri: 'https://evil.example/' })}`, { redirect: 'manual' })
  assert.equal(elsewhere.status, 400)

  const granted = await authorize({ scope, ...clinician })
  assert.equal(granted.back.origin + granted.back.pathname, redirect)
  assert.equal(granted.back.searchParams.get('state'), granted.state)
  assert.equal((await redeem(granted, { code_verifier: 'x'.repeat(43) })).body.error, 'invalid_grant')
  const denied = await authorize({ scope, ...clinician, answer: 'deny' })
  assert.equal(denied.back.searchParams.get('error'), 'access_denied')
  assert.equal(denied.back.searchParams.get('state'), denied.state)
})

test('token response: @73 @74 @75 @76 @78 @80 @81 @83 @84 @85 @86 @87 @88 @89 @91 @149 @164 @168 @169 @170 @173 @353 @355 @359 @363', async () => {
  const { status, headers, body } = await redeem(await authorize({ scope, ...clinician }))
  assert.equal(status, 200)
  assert.match(body.access_token, /^[\x21-\x7e]+$/)
  assert.equal(body.token_type, 'Bearer')
  assert.equal(body.expires_in, 3600)
  assert.equal(body.scope, scope)
  assert.ok(body.id_token && body.refresh_token)
  assert.equal(body.patient, 'maria-lopez')
  assert.equal(body.need_patient_banner, true)
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(headers.get('pragma'), 'no-cache')
})

test('less than the app asks for: @79 @127 @145', async () => {
  const { response } = await tokens({ scope: 'launch/patient patient/*.read patient/Condition.write', without: ['patient/Condition.write'], ...clinician })
  assert.equal(response.scope, 'launch/patient patient/*.read')
})

test('EHR launch: @352 @361', async () => {
  const form = new URLSearchParams({ app: 'http://127.0.0.1:9/start', patient: 'leo-virtanen' })
  const start = new URL((await fetch(sandbox.launch, { method: 'POST', body: form, redirect: 'manual' })).headers.get('location'))
  assert.equal(start.searchParams.get('iss'), sandbox.base)
  const { response } = await tokens({ scope: 'launch patient/*.rs', account: 'dr-brandt', extra: { launch: start.searchParams.get('launch') } })
  assert.equal(response.patient, 'leo-virtanen')
  assert.equal(response.need_patient_banner, false)
})

test('refresh: @100 @101 @103 @104 @109 @110 @111 @112 @113 @114 @116 @118 @365 @366', async () => {
  for (const access of ['offline_access', 'online_access']) {
    const { response } = await tokens({ scope: `launch/patient patient/*.rs ${access}`, ...clinician })
    const form = { grant_type: 'refresh_token', refresh_token: response.refresh_token }
    assert.equal((await post('token', form, 'sandbox-backend:sandbox-secret')).status, 400)
    const { body } = await post('token', { ...form, client_id: 'sandbox-app' })
    assert.ok(body.access_token && body.access_token !== response.access_token && body.expires_in > 0)
    assert.equal(body.token_type, 'Bearer')
    assert.equal(body.scope, response.scope)
    assert.equal(body.patient, 'maria-lopez')
    const more = { ...form, refresh_token: body.refresh_token ?? response.refresh_token, client_id: 'sandbox-app', scope: `${response.scope} patient/*.cruds` }
    assert.equal((await post('token', more)).body.error, 'invalid_scope')
  }
})

test('ID token: @198 @200 @203 @205 @207 @209 @210 @358', async () => {
  const { response } = await tokens({ scope: 'openid fhirUser user/*.rs', ...clinician })
  assert.equal(decodeProtectedHeader(response.id_token).alg, 'RS256')
  const user = await fhir(response.access_token, response.claims().fhirUser)
  assert.equal(user.body.resourceType, 'Practitioner')
  const { keys } = await (await fetch(`${sandbox.issuer}jwks`)).json()
  assert.ok(keys.length > 0 && keys.every(({ kty, n, e }) => kty === 'RSA' && n && e))
})

test('introspection: @99 @269 @271 @272 @273 @274 @275 @276 @277 @278 @279 @280 @281 @282 @283', async () => {
  const { response } = await tokens({ scope, ...clinician })
  const { body } = await post('introspect', { token: response.access_token }, 'sandbox-backend:sandbox-secret')
  const claims = response.claims()
  for (const [name, value] of Object.entries({ active: true, scope, client_id: 'sandbox-app', patient: 'maria-lopez', need_patient_banner: true, iss: claims.iss, sub: claims.sub, fhirUser: claims.fhirUser })) {
    assert.equal(body[name], value, name)
  }
  assert.ok(Math.abs(body.exp - Date.now() / 1000 - response.expires_in) < 60)
  assert.deepEqual((await post('introspect', { token: 'made-up' }, 'sandbox-backend:sandbox-secret')).body, { active: false })
  assert.equal((await post('introspect', { token: response.access_token })).status, 400)
})

test('backend service: @142 @240 @241 @248 @250 @251 @252 @253 @254 @255 @256 @257 @258 @259 @260 @261 @262 @340 @356', async () => {
  const ask = (form, as = 'sandbox-backend:sandbox-secret') => post('token', { grant_type: 'client_credentials', ...form }, as)
  const { body } = await ask({ scope: 'system/Patient.rs user/*.rs' })
  assert.equal(body.scope, 'system/Patient.rs')
  assert.equal(body.expires_in, 300)
  assert.equal(body.token_type, 'Bearer')
  assert.equal(body.refresh_token, undefined)
  assert.equal((await fhir(body.access_token, 'Patient')).body.total, 12)
  const wrong = await ask({ scope: 'system/*.rs' }, 'sandbox-backend:wrong')
  assert.equal(wrong.status, 401)
  assert.equal(wrong.body.error, 'invalid_client')
  assert.ok(wrong.body.error_description)
})

test('client assertions: @249 @297 @310 @311 @326 @335 @336 @337 @357', async () => {
  const server = createServer()
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const issuer = `http://127.0.0.1:${server.address().port}/`
  const keys = { RS384: generateKeyPairSync('rsa', { modulusLength: 2048 }), ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }) }
  const clients = Object.entries(keys).map(([alg, { publicKey }]) => ({
    client_id: alg, grant_types: ['client_credentials'], response_types: [], redirect_uris: [], token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: alg, jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' }] },
  }))
  server.on('request', makeProvider({ issuer, audience: sandbox.base, clients, accounts: new Map(), context: new Map() }).callback())
  const assertion = (alg, key = keys[alg].privateKey, iss = alg) => new SignJWT({}).setProtectedHeader({ alg, kid: alg })
    .setIssuer(iss).setSubject(alg).setAudience(`${issuer}token`).setExpirationTime('2m').setJti(randomUUID()).sign(key)
  const ask = async (jwt) => (await fetch(`${issuer}token`, { method: 'POST', body: new URLSearchParams({
    grant_type: 'client_credentials', scope: 'system/*.rs', client_assertion: jwt, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }) })).json()
  try {
    for (const alg of Object.keys(keys)) {
      const jwt = await assertion(alg)
      assert.equal((await ask(jwt)).scope, 'system/*.rs', alg)
      assert.equal((await ask(jwt)).error, 'invalid_client', `${alg}, sent again`)
      assert.equal((await ask(await assertion(alg, keys[alg].privateKey, 'somebody'))).error, 'invalid_client', `${alg}, iss of somebody else`)
    }
    assert.equal((await ask(await assertion('RS384', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey))).error, 'invalid_client')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('records: @95 @119 @123 @128 @129 @130 @136 @138 @139 @140 @144 @243 @244 @245 @266 @367 @368 @369 @370', async () => {
  const reads = async (wish, path, more) => (await fhir((await tokens({ scope: wish, ...clinician })).response.access_token, path, more)).status
  assert.equal(await reads('launch/patient patient/Observation.rs', 'Observation/maria-lopez-hba1c-3'), 200)
  assert.equal(await reads('launch/patient patient/Observation.read', 'Observation/maria-lopez-hba1c-3'), 200)
  assert.equal(await reads('launch/patient patient/Observation.rs', 'Patient/maria-lopez'), 403)
  assert.equal(await reads('launch/patient patient/Observation.sr', 'Observation/maria-lopez-hba1c-3'), 403)
  assert.equal(await reads('launch/patient patient/*.rs', 'Observation/arthur-finch-hba1c-3'), 403)
  assert.equal(await reads('launch/patient patient/*.rs', 'Practitioner/lena-brandt'), 200)
  assert.equal(await reads('openid fhirUser user/*.rs', 'Observation/arthur-finch-hba1c-3'), 200)
  assert.equal(await reads('openid fhirUser user/*.rs', 'Observation/raj-patel-hba1c-3'), 403)
  assert.equal(await reads('launch/patient patient/*.rs', 'Patient/maria-lopez/$unknown'), 501)
  const fresh = { resourceType: 'Condition', id: 'fresh', subject: { reference: 'Patient/maria-lopez' }, code: { text: 'test' } }
  assert.equal(await reads('launch/patient patient/Condition.u', 'Condition/fresh', { method: 'PUT', body: fresh }), 200)
  const bundle = (type) => ({ resourceType: 'Bundle', type, entry: [{ request: { method: 'GET', url: 'Observation/maria-lopez-hba1c-3' } }, { request: { method: 'GET', url: 'Patient/maria-lopez' } }] })
  const { response } = await tokens({ scope: 'launch/patient patient/Observation.rs', ...clinician })
  const batch = await fhir(response.access_token, '', { method: 'POST', body: bundle('batch') })
  assert.deepEqual(batch.body.entry.map((entry) => Boolean(entry.resource)), [true, false])
  assert.equal((await fhir(await backend('system/*.rs'), 'Patient/$export')).status, 403)
})
