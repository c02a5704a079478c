// A second identity provider for the end-to-end test: the npm package oidc-provider, whose introspection endpoint wants
// client_secret_basic. It listens on a free loopback port, prints its issuer as the first line of output, logs in and
// consents by itself, and ends when its standard input is closed.
//
// Environment:
//   OIDC_CLIENTS      a JSON list of client metadata
//   OIDC_SCOPES       the scopes that may be granted, separated by spaces
//   OIDC_CLAIMS       a JSON object of claims that the tokens of a user carry
//   OIDC_SHORT_LIVED  the id of the client whose access tokens live two seconds

import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { OIDC_CLIENTS, OIDC_SCOPES, OIDC_CLAIMS, OIDC_SHORT_LIVED } = process.env;
const scopes = OIDC_SCOPES.split(' ');
const claims = JSON.parse(OIDC_CLAIMS);

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const lifetime = (ctx, token, client) => (client.clientId === OIDC_SHORT_LIVED ? 2 : 600);

const provider = new Provider(issuer, {
  clients: JSON.parse(OIDC_CLIENTS),
  scopes,
  clientAuthMethods: ['client_secret_basic', 'none'],
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
    // A client that names a resource gets a JWT for it (RFC 8707, RFC 9068), the others get opaque tokens.
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt',
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
});

async function interact(request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: 'user' } });
    return;
  }
  const grant = new provider.Grant({ accountId: 'user', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  if (params.resource) {
    grant.addResourceScope(params.resource, params.scope);
  }
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const callback = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    callback(request, response);
    return;
  }
  interact(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
for (const event of ['server_error', 'authorization.error', 'grant.error', 'introspection.error', 'revocation.error']) {
  provider.on(event, (ctx, error) => console.error(event, error));
}

process.stdin.on('end', () => process.exit(0)).resume();
console.log(issuer);
