// openid-client's ways to tokens, and a FHIR request with one.
import * as oidc from 'openid-client'
import { signIn } from './sandbox.js'

export const redirect = 'http://127.0.0.1:9/callback'

export function clientsOf(sandbox) {
  const discover = (client, authentication) =>
    oidc.discovery(new URL(sandbox.issuer), client, undefined, authentication, { execute: [oidc.allowInsecureRequests] })

  // authorize gets an app's authorization response, and what it needs to redeem the code.
  async function authorize({ scope, extra, ...person }) {
    const config = await discover('sandbox-app', oidc.None())
    const verifier = oidc.randomPKCECodeVerifier()
    const state = oidc.randomState()
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirect, scope, state, aud: sandbox.base, code_challenge_method: 'S256', code_challenge: await oidc.calculatePKCECodeChallenge(verifier), ...extra,
    })
    return { config, verifier, state, back: await signIn(url, person) }
  }

  // tokens redeems it.
  async function tokens(person) {
    const { config, verifier, state, back } = await authorize(person)
    return { config, response: await oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state }) }
  }

  async function backend(scope) {
    const config = await discover('sandbox-backend', oidc.ClientSecretBasic('sandbox-secret'))
    return (await oidc.clientCredentialsGrant(config, { scope })).access_token
  }

  // post sends a form to one of the provider's endpoints; as is "id:secret" where the client authenticates.
  async function post(path, form, as) {
    const headers = as && { Authorization: `Basic ${Buffer.from(as).toString('base64')}` }
    const response = await fetch(new URL(path, sandbox.issuer), { method: 'POST', body: new URLSearchParams(form), headers })
    return { status: response.status, headers: response.headers, body: await response.json().catch(() => undefined) }
  }

  async function fhir(token, path, { method = 'GET', body } = {}) {
    const response = await fetch(new URL(path, sandbox.base), {
      method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/fhir+json' }) },
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }

  return { discover, authorize, tokens, backend, post, fhir }
}
