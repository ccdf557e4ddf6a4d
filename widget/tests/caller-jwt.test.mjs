// Caller JWTs: asked for once, kept while they live, replaced when refused, used once where that may matter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { connection, inSeconds, json, jwt, problem, startServer } from './server.mjs';

/** A client whose host hands out what `claims` makes, numbered. */
async function started(t, claims, more = {}) {
  const server = await startServer(t);
  server.on('GET', '/connections', json({ connections: [] }));
  server.on('GET', '/connections/acme', json(connection('acme', 'not_connected')));
  server.on('DELETE', '/connections/acme', json({ status: 'not_connected', revocation: null }));
  let asked = 0;
  const getCallerJwt = async () => {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return jwt({ n: asked, ...claims(asked) });
  };
  const consulate = createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt, ...more });
  return { server, consulate, asked: () => asked };
}

const used = (server) => new Set(server.received.map((seen) => seen.jwt)).size;

test('twenty calls at once ask the host once, and later ones not again', async (t) => {
  const { server, consulate, asked } = await started(t, () => ({ exp: inSeconds(300) }));
  await Promise.all(Array.from({ length: 20 }, () => consulate.connections()));
  await consulate.connections();
  assert.deepEqual([asked(), server.received.length], [1, 21]);
});

test('a JWT near its end, past it or without one is not kept', async (t) => {
  for (const claims of [() => ({ exp: inSeconds(0) }), () => ({ exp: inSeconds(-60) }), () => ({}), () => ({ exp: 'soon' })]) {
    const { consulate, asked } = await started(t, claims);
    await consulate.connections();
    await consulate.connections();
    assert.equal(asked(), 2);
  }
});

test('a kept JWT is let go before it ends', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const { consulate, asked } = await started(t, () => ({ exp: inSeconds(100) }));
  await consulate.connections();
  t.mock.timers.tick(70_000);
  await consulate.connections();
  assert.equal(asked(), 1);
  t.mock.timers.tick(10_000);
  await consulate.connections();
  assert.equal(asked(), 2);
});

test('a refused JWT is replaced once, and no more than once', async (t) => {
  const { server, consulate, asked } = await started(t, () => ({ exp: inSeconds(300) }));
  server.on('GET', '/connections', problem('caller_unauthenticated'), json({ connections: [] }));
  assert.deepEqual(await consulate.connections(), []);
  assert.deepEqual([asked(), server.received.length, used(server)], [2, 2, 2]);
  server.on('GET', '/connections', problem('caller_unauthenticated'));
  await assert.rejects(consulate.connections(), { code: 'caller_unauthenticated', status: 401, retryable: false });
  assert.deepEqual([asked(), server.received.length], [3, 4]);
});

test('many refused at once ask for one new JWT', async (t) => {
  const { server, consulate, asked } = await started(t, () => ({ exp: inSeconds(300) }));
  const first = jwt({ n: 1, exp: inSeconds(300) }).split('.')[1].slice(0, 8);
  server.on('GET', '/connections', (seen) => (seen.jwt.split('.')[1].startsWith(first) ? problem('caller_unauthenticated') : json({ connections: [] })));
  await Promise.all(Array.from({ length: 10 }, () => consulate.connections()));
  assert.equal(asked(), 2);
});

test('a JWT with a jti is sent with one changing request only', async (t) => {
  const { server, consulate } = await started(t, (n) => ({ exp: inSeconds(300), jti: `j${n}` }));
  await Promise.all([consulate.disconnect('acme'), consulate.disconnect('acme'), consulate.disconnect('acme')]);
  await consulate.disconnect('acme');
  const changing = server.sent('DELETE', '/connections/acme').map((seen) => seen.jwt);
  assert.equal(changing.length, 4);
  assert.equal(new Set(changing).size, 4);
});

test('a JWT with a jti is used again and again for reading', async (t) => {
  const { server, consulate, asked } = await started(t, (n) => ({ exp: inSeconds(300), jti: `j${n}` }));
  server.on('POST', '/apis/a', json({}));
  await consulate.connections();
  await consulate.callAuthenticatedAPI('a');
  await consulate.connections();
  assert.equal(asked(), 1);
});

test('a repeated changing request brings a JWT of its own', async (t) => {
  const { server, consulate } = await started(t, (n) => ({ exp: inSeconds(300), jti: `j${n}` }));
  server.on('DELETE', '/connections/acme', problem('unavailable'), null, json({ status: 'not_connected', revocation: null }));
  await consulate.disconnect('acme');
  const changing = server.sent('DELETE', '/connections/acme').map((seen) => seen.jwt);
  assert.deepEqual([changing.length, new Set(changing).size], [3, 3]);
});

test('one-time JWTs are for what changes something, one for each', async (t) => {
  let oneTime = 0;
  const getOneTimeJwt = () => jwt({ oneTime: (oneTime += 1) });
  const { server, consulate, asked } = await started(t, () => ({ exp: inSeconds(300) }), { getOneTimeJwt });
  await consulate.connections();
  await consulate.disconnect('acme');
  await consulate.disconnect('acme');
  const changing = server.sent('DELETE', '/connections/acme').map((seen) => seen.jwt);
  assert.deepEqual([oneTime, new Set(changing).size, asked()], [2, 2, 1]);
});

test('a host that hands out the same JWT again is not asked for ever', async (t) => {
  const same = jwt({ exp: inSeconds(300), jti: 'same' });
  let asked = 0;
  const getCallerJwt = () => {
    asked += 1;
    return same;
  };
  const { consulate } = await started(t, () => ({}), { getCallerJwt });
  await consulate.disconnect('acme');
  await consulate.disconnect('acme');
  assert.ok(asked <= 5, String(asked));
});

test('a host without a JWT is said to have none, and its error is kept', async (t) => {
  const mishap = new Error('not signed in');
  const sources = [() => Promise.reject(mishap), () => 'JWT', () => undefined, () => ({}), () => ''];
  for (const getCallerJwt of sources) {
    const { server, consulate } = await started(t, () => ({}), { getCallerJwt });
    await assert.rejects(consulate.connections(), { name: 'ConsulateError', code: 'caller_jwt_unavailable', retryable: false });
    assert.equal(server.received.length, 0);
  }
  const { consulate } = await started(t, () => ({}), { getCallerJwt: sources[0] });
  await assert.rejects(consulate.connections(), { cause: mishap });
});

test('one caller who gives up takes the JWT from nobody', async (t) => {
  const { consulate, asked } = await started(t, () => ({ exp: inSeconds(300) }));
  const controller = new AbortController();
  const given = consulate.connections({ signal: controller.signal });
  const other = consulate.connections();
  controller.abort();
  await assert.rejects(given, { name: 'AbortError' });
  assert.deepEqual(await other, []);
  assert.equal(asked(), 1);
});
