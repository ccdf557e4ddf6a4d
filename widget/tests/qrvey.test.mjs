// Qrvey configs: kept, shared, renewed in time. The clock and timers are the test's, the server is real.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { stopClock } from './clock.mjs';
import { json, jwt, problem, startServer } from './server.mjs';

const NOW = Date.parse('2026-11-28T10:00:00Z');

async function started(t) {
  const server = await startServer(t);
  const clock = stopClock(t, NOW);
  let minted = 0;
  const mint = () => {
    minted += 1;
    const token = `token-${minted}`;
    const at = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
    return json({ domain: 'https://acme.qrveyapp.com', qv_token: token, qvToken: token, expires_at: at(600), refresh_after: at(480) });
  };
  server.on('POST', '/qrvey/sales', mint);
  const consulate = createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt: () => jwt({ exp: NOW / 1000 + 10_000 }) });
  return { server, clock, consulate, mint, minted: () => minted };
}

/** Lets real sockets do what they have to. */
async function settle(happened) {
  const began = performance.now();
  while (!happened() && performance.now() - began < 5_000) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(happened(), 'it did not happen');
}

test('a config has both spellings, is shared and kept', async (t) => {
  const { server, clock, consulate, minted } = await started(t);
  const [one, two] = await Promise.all([consulate.qrveyConfig('sales'), consulate.qrveyConfig('sales')]);
  assert.deepEqual(one, two);
  assert.deepEqual([one.qv_token, one.qvToken, one.domain], ['token-1', 'token-1', 'https://acme.qrveyapp.com']);
  one.qvToken = 'a widget may do what it likes with its copy';
  assert.equal((await consulate.qrveyConfig('sales')).qvToken, 'token-1');
  assert.deepEqual([minted(), server.received[0].body], [1, {}]);
});

test('after refresh_after a new one is asked for', async (t) => {
  const { clock, consulate, minted } = await started(t);
  await consulate.qrveyConfig('sales');
  clock.tick(479_000);
  await consulate.qrveyConfig('sales');
  assert.equal(minted(), 1);
  clock.tick(2_000);
  assert.equal((await consulate.qrveyConfig('sales')).qvToken, 'token-2');
});

test('params choose another token', async (t) => {
  const { server, clock, consulate } = await started(t);
  await consulate.qrveyConfig('sales', { params: { region: 'emea' } });
  await consulate.qrveyConfig('sales', { params: { region: 'apac' } });
  await consulate.qrveyConfig('sales', { params: { region: 'emea' } });
  assert.deepEqual(server.received.map((seen) => seen.body), [{ params: { region: 'emea' } }, { params: { region: 'apac' } }]);
});

test('who wants to hear of renewals does, before the token ends, until they give up', async (t) => {
  const { clock, consulate, minted } = await started(t);
  const heard = [[], []];
  const controller = new AbortController();
  for (const list of heard) await consulate.qrveyConfig('sales', { onRenew: (config) => list.push(config.qvToken), signal: controller.signal });
  clock.tick(480_000);
  await settle(() => heard[0].length === 1 && heard[1].length === 1);
  clock.tick(480_000);
  await settle(() => heard[0].length === 2 && heard[1].length === 2);
  assert.deepEqual(heard, [['token-2', 'token-3'], ['token-2', 'token-3']]);
  assert.equal(minted(), 3);
  controller.abort();
  clock.tick(2_000_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(minted(), 3);
});

test('a renewal that fails is said and tried again', async (t) => {
  const { server, clock, consulate, mint } = await started(t);
  const heard = [];
  const errors = [];
  const stop = new AbortController();
  await consulate.qrveyConfig('sales', { onRenew: (config) => heard.push(config.qvToken), onError: (error) => errors.push(error.code), signal: stop.signal });
  server.on('POST', '/qrvey/sales', problem('caller_forbidden'), mint);
  clock.tick(480_000);
  await settle(() => errors.length === 1);
  clock.tick(15_000);
  await settle(() => heard.length === 1);
  assert.deepEqual([heard, errors], [['token-2'], ['caller_forbidden']]);
  stop.abort();
});

test('a clock that is off does not make a loop', async (t) => {
  const { server, clock, consulate } = await started(t);
  const past = { domain: 'd', qv_token: 'x', qvToken: 'x', expires_at: '2020-01-01T00:10:00Z', refresh_after: '2020-01-01T00:08:00Z' };
  server.on('POST', '/qrvey/sales', json(past));
  const stop = new AbortController();
  await consulate.qrveyConfig('sales', { onRenew: () => {}, signal: stop.signal });
  clock.tick(4_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.received.length, 1);
  stop.abort();
});

test('a token that lives for months is not renewed at once', async (t) => {
  const { server, clock, consulate } = await started(t);
  const far = { domain: 'd', qv_token: 'x', qvToken: 'x', expires_at: '2028-01-01T00:00:00Z', refresh_after: '2027-12-01T00:00:00Z' };
  server.on('POST', '/qrvey/sales', json(far));
  const stop = new AbortController();
  await consulate.qrveyConfig('sales', { onRenew: () => assert.fail('nothing is new'), signal: stop.signal });
  clock.tick(2 ** 31);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.received.length, 1);
  stop.abort();
});
