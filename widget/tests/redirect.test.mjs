// The last step of redirect mode, as the page of `returnTo` takes it: what it sends, what it leaves in the address, what it tells the
// page that opened it.
//
// May touch: the globals that a browser has and node has not, until the test is over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { connection, inSeconds, json, jwt, problem, startServer } from './server.mjs';

const ORIGIN = 'https://widget.example';

/** A client on a page at `/back?q=1` with this fragment, opened by another one; `told` is what that heard, `shown` the address since. */
async function onPage(t, hash) {
  const told = [];
  const shown = [];
  globalThis.location = { hash, pathname: '/back', search: '?q=1', origin: ORIGIN };
  globalThis.history = { state: { s: 1 }, replaceState: (state, _, url) => shown.push([state, url]) };
  globalThis.window = { opener: { postMessage: (message, origin) => told.push({ ...message, origin }) } };
  t.after(() => ['location', 'history', 'window'].forEach((name) => delete globalThis[name]));
  const server = await startServer(t);
  const getCallerJwt = () => jwt({ exp: inSeconds(300) });
  return { server, told, shown, consulate: createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt }) };
}

const heard = (status, code) => [{ type: 'consulate:result', status, code, auth_key: 'acme', origin: ORIGIN }];
const COMPLETION = '#consulate_auth_key=acme&consulate_completion=c%2B1';

test('the completion is sent, taken out of the address with nothing else, and the opener told', async (t) => {
  const { server, consulate, told, shown } = await onPage(t, `#a=1&consulate_auth_key=acme&consulate_completion=c%2B1&b`);
  server.on('POST', '/connections/acme/complete', json(connection('acme', 'connected')));
  assert.equal((await consulate.completeRedirect()).status, 'connected');
  assert.deepEqual(server.received.map(({ body }) => body), [{ completion: 'c+1' }]);
  assert.deepEqual(shown, [[{ s: 1 }, '/back?q=1#a=1&b']]);
  assert.deepEqual(told, heard('connected', undefined));
});

test('an address without news sends and tells nothing', async (t) => {
  const { server, consulate, told, shown } = await onPage(t, '#a=1');
  assert.equal(await consulate.completeRedirect(), null);
  assert.deepEqual([server.received, told, shown], [[], [], []]);
});

test("the provider's refusal is told in its code, and nothing is sent", async (t) => {
  const { server, consulate, told, shown } = await onPage(t, '#consulate_auth_key=acme&consulate_error=access_denied');
  await assert.rejects(consulate.completeRedirect(), { code: 'access_denied', authKey: 'acme', retryable: false });
  assert.deepEqual([server.received, shown], [[], [[{ s: 1 }, '/back?q=1']]]);
  assert.deepEqual(told, heard('failed', 'access_denied'));
});

test("the server's refusal is told in its code", async (t) => {
  const { server, consulate, told } = await onPage(t, COMPLETION);
  server.on('POST', '/connections/acme/complete', problem('caller_forbidden'));
  await assert.rejects(consulate.completeRedirect(), { code: 'caller_forbidden' });
  assert.deepEqual(told, heard('failed', 'caller_forbidden'));
});

test('whoever gives up is no success, whatever the reason', async (t) => {
  for (const reason of [undefined, new Error('the page went away'), 'enough', null]) {
    const { server, consulate, told } = await onPage(t, COMPLETION);
    server.on('POST', '/connections/acme/complete', json(connection('acme', 'connected')));
    const signal = AbortSignal.abort(reason);
    await assert.rejects(consulate.completeRedirect({ signal }), (error) => error === signal.reason);
    assert.deepEqual(told, heard('failed', 'unavailable'));
  }
});
