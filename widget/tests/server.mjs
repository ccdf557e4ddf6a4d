// A server on loopback that speaks Consulate's contract as far as the client can tell: caller JWTs are asked for and refused when they
// are not the ones of the test, answers are those the test lined up, and what was sent is kept.
//
// May touch: a free port. Source of the shapes: docs/first-widget.md, shared/src/problem.rs, functions/connect/src/status.rs.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const PREFIX = '/v1/widgets/calendar';

/** Problems as the server words them. */
const PROBLEMS = {
  caller_unauthenticated: [401, false],
  caller_forbidden: [403, false],
  authentication_required: [424, false],
  params_invalid: [422, false],
  precondition_failed: [412, false],
  rate_limited: [429, true],
  refresh_busy: [503, true],
  unavailable: [503, true],
  upstream_unreachable: [502, true],
  upstream_timeout: [504, true],
};

/** An answer that is a problem document. */
export function problem(code, { headers = {}, ...members } = {}) {
  const [status, retryable] = PROBLEMS[code];
  const document = { type: 'about:blank', title: `Title of ${code}`, status, detail: `Detail of ${code}.`, code, retryable, request_id: 'r-1', ...members };
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, body: JSON.stringify(document) };
}

/** An answer that is JSON. */
export function json(document, { status = 200, headers = {} } = {}) {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(document) };
}

/** An answer in somebody else's words. */
export const html = (status) => ({ status, headers: { 'content-type': 'text/html' }, body: '<h1>Bad gateway</h1>' });

/** A connection's status document. */
export function connection(authKey, status, more = {}) {
  return {
    auth_key: authKey, label: 'Acme Cloud', provider: 'acme', passport: 'acme', owner: 'user', delivery: 'server', status, reason: null, account: null,
    scopes: [], connected_at: null, expires_at: null, reauthorise_by: null, revocation: null, apis: [], ...more,
  };
}

/** A JWT with these claims. Nobody here verifies signatures. */
export function jwt(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Seconds from now, as claims have them. */
export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/**
 * Starts a server. `on(method, path, ...answers)` lines answers up below the widget's address (the last one stays); an answer is one
 * of the above, a function of the request that answers one, or `null`: cut the line without a word.
 */
export async function startServer(test) {
  const lined = new Map();
  const received = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const path = request.url.startsWith(PREFIX) ? request.url.slice(PREFIX.length) : request.url;
    const seen = { method: request.method, path, headers: request.headers, body: body ? JSON.parse(body) : undefined, jwt: request.headers.authorization?.replace('Bearer ', '') };
    received.push(seen);
    const answers = lined.get(`${request.method} ${path}`) ?? [];
    const next = answers.length > 1 ? answers.shift() : answers[0];
    const answer = typeof next === 'function' ? await next(seen) : next;
    if (answer === undefined) return response.writeHead(500).end(`No answer for ${request.method} ${path}`);
    if (answer === null) return request.socket.destroy();
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    baseUrl: `http://127.0.0.1:${server.address().port}`,
    received,
    on: (method, path, ...answers) => lined.set(`${method} ${path}`, answers),
    sent: (method, path) => received.filter((seen) => seen.method === method && seen.path === path),
  };
}
