// A provider nobody here wrote (oidc-provider) and a small API behind its access tokens, on loopback, for one journey.
//
// May touch: 127.0.0.1 only. Nothing is kept: the process is the database. Source: the oidc-provider package's own documentation.
//
//   node tests/node/oidc-provider.mjs [PORT] [API_PORT]      0 or absent: a free port
//   OIDC_CONFIG   JSON: {"clients":[{"client_id","client_secret"?,"redirect_uris",
//                        "token_endpoint_auth_method":"client_secret_basic|client_secret_post|private_key_jwt|none", "jwks"?}],
//                        "access_token_ttl"?: seconds (12), "refresh_token_ttl"?: seconds (3600),
//                        "resource"?: access tokens are JWTs for this audience (RFC 9068), with `org_id`, not opaque}
//                 Without "clients", one line of standard input brings them, as a JSON list: who needs this provider's address to
//                 have a redirect URI of its own registers afterwards. Until then the issuer answers 503.
//
// A line "rotate" on standard input, quotes included, gives the issuer another signing key and takes the old one away: `rotated` is
// printed. What it has issued stays.
//
// Prints one line on standard output, `ready {"port":…,"issuer":"http://127.0.0.1:PORT","api_port":…,"api":"http://127.0.0.1:API_PORT"}`,
// and `registered` once clients came by standard input.
// Ends when its standard input does, so that a test that dies takes its provider along: start it with a pipe there and keep
// the pipe open. Warnings of the package (in-memory store, development keys) go to standard error.
//
// An account named `NAME.ORG` is of the organisation ORG, any other of `o1`: ID tokens say so in `org_id`. Whose name begins with
// `unverified` has an e-mail nobody verified.
//
// Endpoints of the issuer: /auth, /token, /token/revocation, /me (userinfo), /.well-known/openid-configuration.
//
// How a test logs in, with a cookie jar and redirects followed by hand:
//   1. GET the authorize URL (scope "openid profile email offline_access", prompt=consent, which offline_access needs)
//      → 303 to /interaction/UID
//   2. POST /interaction/UID  prompt=login&login=ada&password=x    → 303 /auth/UID → 303 to a new /interaction/UID
//   3. POST /interaction/UID  prompt=consent                       → 303 /auth/UID → 303 to redirect_uri?code=…&state=…&iss=…
//   (GET /interaction/UID/abort instead: redirect_uri?error=access_denied.)  Every login name is an account; the password is not looked at.
//
// GET /__seen on the issuer's port answers what the provider saw, counts only:
//   {"token":{"authorization_code":n,"refresh_token":n},      granted
//    "grant_errors":{"invalid_grant":n,…},                     refused, by OAuth error
//    "revocation":n,                                           requests to the revocation endpoint that were answered with 200
//    "revoked":n,                                              grants that ended, by revocation or by reuse of a refresh token
//    "refresh_tokens":{"issued":n,"consumed":n,"destroyed":n}, "access_tokens":{"issued":n},
//    "api":{"answered":n,"refused":n}}

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const [port = '0', apiPort = '0'] = process.argv.slice(2);
const settings = JSON.parse(process.env.OIDC_CONFIG ?? '{}');
const seen = {
  token: { authorization_code: 0, refresh_token: 0 },
  grant_errors: {},
  revocation: 0,
  revoked: 0,
  refresh_tokens: { issued: 0, consumed: 0, destroyed: 0 },
  access_tokens: { issued: 0 },
  api: { answered: 0, refused: 0 },
};

/** `NAME.ORG`: whose account it is. */
const organisationOf = (account) => account.split('.')[1] ?? 'o1';

/** Listens on loopback and resolves with the port that was really taken. */
function listen(server, wanted) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(wanted), '127.0.0.1', () => resolve(server.address().port));
  });
}

/** Answers with JSON that nobody may store. */
function answer(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(JSON.stringify(body));
}

/** The provider, strict where the journey needs it: PKCE with S256, every refresh token good for one use, expiry to the second. */
function buildProvider(issuer, clients, jwks) {
  return new Provider(issuer, {
    ...(jwks && { jwks }),
    clients: clients.map((client) => ({
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...client,
    })),
    claims: { openid: ['sub', 'org_id'], email: ['email', 'email_verified'], profile: ['name'] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    // Claims in the ID token as well as at userinfo: both ways of learning who signed in can be journeyed.
    conformIdTokenClaims: false,
    // The default of 15 seconds would let a 12-second access token live for 27.
    clockTolerance: 0,
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      userinfo: { enabled: true },
      ...(settings.resource && {
        resourceIndicators: {
          enabled: true,
          defaultResource: () => settings.resource,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({ scope: 'openid', audience: settings.resource, accessTokenFormat: 'jwt' }),
        },
      }),
    },
    extraTokenClaims: (_context, token) => (settings.resource ? { org_id: organisationOf(token.accountId) } : undefined),
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        org_id: organisationOf(id),
        email: `${id}@people.example`,
        email_verified: !id.startsWith('unverified'),
        name: `${id} of the example`,
      }),
    }),
    issueRefreshToken: (_context, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Fixed and public: the cookies they sign live as long as one test.
    cookies: { keys: ['consulate-tests'] },
    ttl: {
      AccessToken: settings.access_token_ttl ?? 12,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 300,
      Interaction: 600,
      RefreshToken: settings.refresh_token_ttl ?? 3600,
      Session: 3600,
    },
  });
}

/** Counts by the provider's own events; an event carries tokens, so nothing of it is kept. */
function count(provider) {
  provider.on('grant.success', (context) => {
    const grantType = context.oidc.params.grant_type;
    seen.token[grantType] = (seen.token[grantType] ?? 0) + 1;
  });
  provider.on('grant.error', (_context, error) => {
    seen.grant_errors[error.error] = (seen.grant_errors[error.error] ?? 0) + 1;
  });
  provider.on('grant.revoked', () => { seen.revoked += 1; });
  provider.on('refresh_token.saved', () => { seen.refresh_tokens.issued += 1; });
  provider.on('refresh_token.consumed', () => { seen.refresh_tokens.consumed += 1; });
  provider.on('refresh_token.destroyed', () => { seen.refresh_tokens.destroyed += 1; });
  provider.on('access_token.saved', () => { seen.access_tokens.issued += 1; });
  provider.on('server_error', (_context, error) => process.stderr.write(`provider: ${error.stack}\n`));
  provider.use(async (context, next) => {
    await next();
    if (context.path === '/token/revocation' && context.status === 200) seen.revocation += 1;
  });
}

/** `GET /api/items` for whoever presents an access token that the provider still knows; all else is refused as RFC 6750 says. */
function buildApi() {
  return createServer(async (request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    if (request.method !== 'GET' || url.pathname !== '/api/items') {
      answer(response, 404, { error: 'not_found' });
      return;
    }
    const [, presented] = /^Bearer ([\w.~+/-]+=*)$/.exec(request.headers.authorization ?? '') ?? [];
    const accessToken = presented && await provider?.AccessToken.find(presented);
    if (!accessToken?.isValid) {
      seen.api.refused += 1;
      answer(response, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
      return;
    }
    seen.api.answered += 1;
    const query = Object.fromEntries(url.searchParams);
    answer(response, 200, { sub: accessToken.accountId, items: [{ id: 1, title: 'First' }, { id: 2, title: 'Second' }], query });
  });
}

// The issuer's address is part of the provider, so the port is taken before the provider is built.
let serve = (_request, response) => answer(response, 503, { error: 'starting' });
const issuerPort = await listen(createServer((request, response) => serve(request, response)), port);
const issuer = `http://127.0.0.1:${issuerPort}`;
let provider;
let served;

/** From now on these clients are served, with ID tokens signed by `jwks`, or by the package's development keys. */
function open(clients, jwks) {
  served = clients;
  provider = buildProvider(issuer, clients, jwks);
  count(provider);
  const handle = provider.callback();
  serve = (request, response) => {
    if (request.method === 'GET' && request.url === '/__seen') answer(response, 200, seen);
    else handle(request, response);
  };
}

if (settings.clients) open(settings.clients);
const takenApiPort = await listen(buildApi(), apiPort);

process.stdin.on('error', () => process.exit(0));
const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.on('line', async (line) => {
  if (provider && line.trim() === '"rotate"') {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const key = { ...(await exportJWK(privateKey)), kid: `rotated-${Date.now()}`, alg: 'RS256', use: 'sig' };
    open(served, { keys: [key] });
    process.stdout.write('rotated\n');
    return;
  }
  if (provider || !line.trim()) return;
  open(JSON.parse(line));
  process.stdout.write('registered\n');
});
const ready = { port: issuerPort, issuer, api_port: takenApiPort, api: `http://127.0.0.1:${takenApiPort}` };
process.stdout.write(`ready ${JSON.stringify(ready)}\n`);
