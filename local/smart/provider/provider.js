// The identity provider: oidc-provider with SMART's launch context, three people and two clients.
import './quiet.js'
import { generateKeyPairSync } from 'node:crypto'
import Provider, { errors } from 'oidc-provider'
import { parse } from '../healthlake/scopes.js'

const paths = {
  authorization: '/authorize', token: '/token', introspection: '/introspect', revocation: '/revoke', jwks: '/jwks', end_session: '/logout',
}

// Scopes that are not for FHIR resources. The first four say who the user is and whether there is a refresh token.
const plain = ['openid', 'fhirUser', 'profile', 'offline_access', 'online_access', 'launch', 'launch/patient']

// A client gets scopes of its own kind: an app with a user nothing of system/, a backend service nothing else.
export const mayHave = (client, scope) => {
  const level = parse(scope)?.level
  return client.grantTypeAllowed('client_credentials') ? level === 'system' : plain.includes(scope) || (level && level !== 'system')
}

const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `sandbox-${alg}`,
})

// makeProvider returns the provider. context holds what a user chose for a grant, by the grant's id: {patient}.
export function makeProvider({ issuer, audience, clients, accounts, context }) {
  const requested = (ctx) => {
    const { AuthorizationCode: code, RefreshToken: refresh } = ctx.oidc.entities
    return (ctx.oidc.params.scope ?? code?.scope ?? refresh?.scope ?? '').split(' ').filter(Boolean)
  }
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256')] },
    cookies: { keys: [crypto.randomUUID()] },
    routes: paths,
    scopes: plain,
    claims: { openid: ['sub'], fhirUser: ['fhirUser'], profile: ['name'] },
    conformIdTokenClaims: false,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    clientBasedCORS: () => true,
    enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] }, // SMART's, "Client authentication: asymmetric"
    extraParams: {
      launch: null,
      // SMART App Launch, "Obtain authorization code": the FHIR server that the app will use.
      aud(ctx, value) {
        if (value !== undefined && value.replace(/\/$/, '') !== audience.replace(/\/$/, '')) {
          throw new errors.InvalidRequest(`aud is not ${audience}`)
        }
      },
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // A refresh token must not reach a resource server, and introspection does not tell it from an access token.
      introspection: { enabled: true, allowedPolicy: (ctx, client, token) => token.kind !== 'RefreshToken' },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, client) => {
          if (resource !== audience) throw new errors.InvalidTarget()
          return { audience, scope: requested(ctx).filter((scope) => mayHave(client, scope)).join(' '), accessTokenFormat: 'opaque' }
        },
      },
    },
    pkce: { required: () => true },
    ttl: { AccessToken: 3600, ClientCredentials: 300, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 3600 },
    issueRefreshToken: (ctx, client, code) => code.scopes.has('offline_access') || code.scopes.has('online_access'),
    extraTokenClaims: (ctx, token) => (token.accountId ? { fhirUser: accounts.get(token.accountId).fhirUser, ...context.get(token.grantId) } : undefined),
    findAccount: (ctx, id) => accounts.has(id) ? { accountId: id, claims: () => ({ sub: id, ...accounts.get(id) }) } : undefined,
    // Each authorization asks for consent anew: a sandbox is there to see it.
    loadExistingGrant: (ctx) => {
      const id = ctx.oidc.result?.consent?.grantId
      return id ? ctx.oidc.provider.Grant.find(id) : undefined
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => { ctx.type = 'txt'; ctx.body = `${out.error}: ${out.error_description ?? ''}\n` },
  })

  // Any redirect to this machine, as a native app's (RFC 8252 section 7.3), with any path.
  provider.Client.prototype.redirectUriAllowed = (uri) => {
    const url = URL.parse(uri)
    return url?.protocol === 'http:' && ['localhost', '127.0.0.1'].includes(url.hostname) && !url.hash
  }
  provider.Client.prototype.postLogoutRedirectUriAllowed = provider.Client.prototype.redirectUriAllowed

  provider.use(async (ctx, next) => {
    // OpenID Connect takes offline_access for granted only with prompt=consent, which SMART apps don't send.
    if (ctx.path === paths.authorization && /offline_access/.test(ctx.query.scope) && !ctx.query.prompt) {
      ctx.query = { ...ctx.query, prompt: 'consent' }
    }
    await next()
    // A token that the provider never issued is not active (RFC 7662 section 2.2). The library calls a JWT a mistake instead.
    if (ctx.oidc?.route === 'introspection' && ctx.body?.error === 'unsupported_token_type') {
      Object.assign(ctx, { status: 200, body: { active: false } })
    }
    // SMART App Launch, "Launch context arrives with your access_token".
    const token = ctx.oidc?.route === 'token' && ctx.body?.access_token && ctx.oidc.entities.AccessToken
    if (token) Object.assign(ctx.body, context.get(token.grantId))
    if (ctx.oidc?.route === 'token') ctx.set('Pragma', 'no-cache') // which SMART asks for beside Cache-Control
  })
  for (const event of ['server_error', 'authorization.error']) provider.on(event, (ctx, error) => console.error(`provider: ${error.message}`))
  return provider
}
