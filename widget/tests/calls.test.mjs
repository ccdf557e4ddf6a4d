// Named API calls: the envelope, the typed errors, what is sent again and what is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConsulateError, createConsulate } from '../dist/consulate.js';
import { html, inSeconds, json, jwt, problem, startServer } from './server.mjs';

const ENVELOPE = { statusCode: 200, body: { value: [1, 2] }, headers: { etag: '"x"' }, contentType: 'application/json', isSuccess: true };

async function started(t, more = {}) {
  const server = await startServer(t);
  let asked = 0;
  const getCallerJwt = () => jwt({ exp: inSeconds(300), n: (asked += 1) });
  const consulate = createConsulate({ baseUrl: `${server.baseUrl}/`, widget: 'calendar', getCallerJwt, ...more });
  return { server, consulate, asked: () => asked };
}

/** The error of a call that must fail. */
async function errorOf(promise) {
  const error = await promise.then(() => assert.fail('it did not fail'), (reason) => reason);
  assert.ok(error instanceof ConsulateError, String(error));
  return error;
}

test('a call answers the envelope as Appspace wraps it', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', json(ENVELOPE));
  const response = await consulate.callAuthenticatedAPI('getEvents', { params: { maxResults: '10', ids: [1, 'b'], all: true } });
  assert.deepEqual(response, { status: 200, statusText: 'OK', data: ENVELOPE });
  const [sent] = server.received;
  assert.deepEqual(sent.body, { params: { maxResults: '10', ids: [1, 'b'], all: true } });
  assert.equal(sent.headers['content-type'], 'application/json');
  assert.equal(sent.headers.cookie, undefined);
});

test("the API's own refusal is an answer, not an error", async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', json({ ...ENVELOPE, statusCode: 429, isSuccess: false, isThrottled: true, retryAfterSeconds: 30 }));
  const { status, data } = await consulate.callAuthenticatedAPI('getEvents');
  assert.deepEqual([status, data.statusCode, data.isSuccess, data.retryAfterSeconds], [200, 429, false, 30]);
  assert.equal(server.received.length, 1);
});

test('names are put into one segment of the path', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/a%2Fb%3Fc', json(ENVELOPE));
  await consulate.callAuthenticatedAPI('a/b?c');
  assert.equal(server.received.length, 1);
});

test('only params may be passed', async (t) => {
  const { server, consulate } = await started(t);
  for (const key of ['method', 'headers', 'body', 'url']) {
    const error = await errorOf(consulate.callAuthenticatedAPI('getEvents', { params: {}, [key]: 'x' }));
    assert.equal(error.code, 'request_malformed');
    assert.match(error.message, new RegExp(key));
  }
  assert.equal(server.received.length, 0);
});

test('an account that has to be connected is said in every member', async (t) => {
  const { server, consulate } = await started(t);
  const connect = { method: 'POST', href: '/v1/widgets/calendar/connections/acme/connect' };
  server.on('POST', '/apis/getEvents', problem('authentication_required', { reason: 'not_connected', auth_key: 'acme', connect }));
  const error = await errorOf(consulate.callAuthenticatedAPI('getEvents'));
  const { code, status, retryable, reason, authKey, requestId, name } = error;
  assert.deepEqual({ code, status, retryable, reason, authKey, requestId, name }, {
    code: 'authentication_required', status: 424, retryable: false, reason: 'not_connected', authKey: 'acme', requestId: 'r-1', name: 'ConsulateError',
  });
  assert.match(error.message, /^Authentication required: /);
  assert.deepEqual(error.problem.connect, connect);
  assert.equal(server.received.length, 1);
});

test('what nobody has done yet is sent again, after as long as the server asks', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', problem('refresh_busy', { headers: { 'retry-after': '1' } }), json(ENVELOPE));
  const began = performance.now();
  assert.equal((await consulate.callAuthenticatedAPI('getEvents')).status, 200);
  assert.ok(performance.now() - began >= 990);
  assert.equal(server.received.length, 2);
});

test('four attempts are all', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', problem('unavailable'));
  const error = await errorOf(consulate.callAuthenticatedAPI('getEvents'));
  assert.deepEqual([error.code, error.retryable, server.received.length], ['unavailable', true, 4]);
});

test('who asks for a long wait is not waited for', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', problem('rate_limited', { headers: { 'retry-after': '30' } }));
  const error = await errorOf(consulate.callAuthenticatedAPI('getEvents'));
  assert.deepEqual([error.code, error.retryAfterSeconds, server.received.length], ['rate_limited', 30, 1]);
});

test('a call that may have been carried out is not sent twice', async (t) => {
  for (const answer of [problem('upstream_timeout'), problem('upstream_unreachable'), html(504), null]) {
    const { server, consulate } = await started(t);
    server.on('POST', '/apis/create', answer);
    const error = await errorOf(consulate.callAuthenticatedAPI('create'));
    assert.equal(error.retryable, true, error.code);
    assert.equal(server.received.length, 1, error.code);
  }
});

test('reading is sent again whatever became of it', async (t) => {
  for (const answer of [problem('upstream_timeout'), html(502), null]) {
    const { server, consulate } = await started(t);
    server.on('GET', '/connections', answer, json({ connections: [] }));
    assert.deepEqual(await consulate.connections(), []);
    assert.equal(server.received.length, 2);
  }
});

test('what is wrong with the call is not tried again', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/getEvents', problem('params_invalid', { param: 'startDate' }));
  const error = await errorOf(consulate.callAuthenticatedAPI('getEvents'));
  assert.deepEqual([error.code, error.problem.param, server.received.length], ['params_invalid', 'startDate', 1]);
});

test('words that are not ours are an unexpected answer', async (t) => {
  const { server, consulate } = await started(t);
  server.on('GET', '/connections', html(200));
  const error = await errorOf(consulate.connections());
  assert.deepEqual([error.code, error.status, error.retryable], ['unexpected_answer', 200, false]);
  server.on('POST', '/apis/a', { status: 429, headers: {}, body: '{"message":"Too Many Requests"}' }, json(ENVELOPE));
  assert.equal((await consulate.callAuthenticatedAPI('a')).status, 200);
});

test('a server that is not there is unreachable', async (t) => {
  const { consulate } = await started(t, { baseUrl: 'http://127.0.0.1:1' });
  const error = await errorOf(consulate.callAuthenticatedAPI('getEvents'));
  assert.deepEqual([error.code, error.status, error.retryable], ['unreachable', 0, true]);
});

test('a redirect is not followed with a caller JWT', async (t) => {
  const { server, consulate } = await started(t);
  server.on('POST', '/apis/a', { status: 307, headers: { location: '/v1/widgets/calendar/apis/b' }, body: '' });
  assert.equal((await errorOf(consulate.callAuthenticatedAPI('a'))).code, 'unreachable');
  assert.equal(server.received.length, 1);
});

test('giving up ends the request and the waiting, with the reason given', async (t) => {
  const { server, consulate } = await started(t);
  const reason = new Error('the widget went away');
  const later = () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    return controller.signal;
  };
  server.on('POST', '/apis/slow', () => new Promise((resolve) => setTimeout(resolve, 60_000, json(ENVELOPE)).unref()));
  await assert.rejects(consulate.callAuthenticatedAPI('slow', { signal: later() }), reason);
  server.on('POST', '/apis/busy', problem('refresh_busy', { headers: { 'retry-after': '9' } }));
  await assert.rejects(consulate.callAuthenticatedAPI('busy', { signal: later() }), reason);
  assert.equal(server.sent('POST', '/apis/busy').length, 1);
  await assert.rejects(consulate.callAuthenticatedAPI('busy', { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(server.sent('POST', '/apis/busy').length, 1);
});

test('options that cannot be used are refused at once', () => {
  const usable = { baseUrl: 'https://consulate.example', widget: 'w', getCallerJwt: () => '' };
  assert.throws(() => createConsulate({ ...usable, baseUrl: 'http://consulate.example' }), TypeError);
  assert.throws(() => createConsulate({ ...usable, baseUrl: 'consulate.example' }), TypeError);
  assert.throws(() => createConsulate({ ...usable, baseUrl: 'http://localhost.example' }), TypeError);
  assert.throws(() => createConsulate({ ...usable, baseUrl: 'http://127.evil.example' }), TypeError);
  assert.throws(() => createConsulate({ ...usable, widget: '' }), TypeError);
  assert.throws(() => createConsulate({ ...usable, getCallerJwt: undefined }), TypeError);
  for (const baseUrl of ['http://localhost:1', 'http://127.0.0.1:1', 'http://[::1]:1', 'http://api.localhost']) createConsulate({ ...usable, baseUrl });
});
