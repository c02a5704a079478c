// A second identity provider for the tests: the npm package oidc-provider, whose introspection endpoint wants what the client is
// registered with, client_secret_basic or private_key_jwt. It listens on a free loopback port, prints its issuer as the first line of output, logs in and
// consents by itself, and ends when its standard input is closed.
//
// Two requests are the test's alone: POST /test/keys adds a key that signs from then on, DELETE /test/keys/<kid>
// withdraws one.
//
// Environment:
//   OIDC_CLIENTS      a JSON list of client metadata
//   OIDC_SCOPES       the scopes that may be granted, separated by spaces
//   OIDC_CLAIMS       a JSON object of claims that the tokens of a user carry
//   OIDC_USER         the id of that user
//
// Access tokens of the clients whose ids begin with "jwt-" are JWTs (RFC 9068), where a resource is named (RFC 8707);
// all others are opaque. Those of the clients whose ids end in "-short-lived" live two seconds.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { OIDC_CLIENTS, OIDC_SCOPES, OIDC_CLAIMS, OIDC_USER } = process.env;
const scopes = OIDC_SCOPES.split(' ');
const claims = JSON.parse(OIDC_CLAIMS);

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const lifetime = (ctx, token, client) => (client.clientId.endsWith('-short-lived') ? 2 : 600);

const newKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: randomUUID(), alg: 'RS256', use: 'sig',
});

const configuration = {
  clients: JSON.parse(OIDC_CLIENTS),
  scopes,
  clientAuthMethods: ['client_secret_basic', 'none', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'ES384', 'RS256', 'PS256'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: {
      enabled: true,
      // The answer does not tell a refresh token from an access token, so the provider must: a resource server has no
      // business with refresh tokens.
      allowedPolicy: (ctx, client, token) => token.kind !== 'RefreshToken',
    },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource, client) => ({
        scope: scopes.join(' '),
        audience: resource,
        accessTokenFormat: client.clientId.startsWith('jwt-') ? 'jwt' : 'opaque',
      }),
      useGrantedResource: () => true,
    },
  },
  pkce: { required: () => true },
  ttl: { AccessToken: lifetime, ClientCredentials: lifetime },
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
  extraTokenClaims: async (ctx, token) => (token.accountId ? claims : undefined),
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
};

let keys;
let provider;
let callback;

// publish has the provider sign by the first of these keys and publish all of them. It takes its keys when it is made,
// so another one takes over, with what the one before has stored.
function publish(published) {
  const before = provider;
  keys = published;
  provider = new Provider(issuer, {
    ...configuration, jwks: { keys }, adapter: before && ((model) => before[model].adapter),
  });
  callback = provider.callback();
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'introspection.error', 'revocation.error']) {
    provider.on(event, (ctx, error) => console.error(event, error));
  }
}
publish([newKey()]);

async function interact(request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: OIDC_USER } });
    return;
  }
  const grant = new provider.Grant({ accountId: OIDC_USER, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  if (params.resource) {
    grant.addResourceScope(params.resource, params.scope);
  }
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

server.on('request', (request, response) => {
  if (request.url.startsWith('/interaction/')) {
    interact(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
    return;
  }
  if (request.url.startsWith('/test/keys')) {
    const withdrawn = request.url.slice('/test/keys/'.length);
    publish(request.method === 'DELETE' ? keys.filter((key) => key.kid !== withdrawn) : [newKey(), ...keys]);
    response.writeHead(204).end();
    return;
  }
  callback(request, response);
});

process.stdin.on('end', () => process.exit(0)).resume();
console.log(issuer);
