// The presets: Happeo's SDK as it behaves, and an Appspace widget's own code on the shim.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import vm from 'node:vm';
import { createConsulate, fromHappeo, installAppspaceShim } from '../dist/consulate.js';
import { connection, inSeconds, json, jwt, problem, startServer } from './server.mjs';

const FIXTURES = new URL('../../tests/fixtures/bundles/', import.meta.url);

async function started(t, source) {
  const server = await startServer(t);
  return { server, consulate: createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', ...source }) };
}

test("Happeo's first calls may fail, and are made again", async (t) => {
  let calls = 0;
  const api = {
    async getJWT() {
      calls += 1;
      if (calls < 3) throw new TypeError('Cannot read properties of undefined');
      return jwt({ exp: inSeconds(300) });
    },
  };
  for (const widgetSdk of [api, { api }]) {
    calls = 0;
    const { server, consulate } = await started(t, fromHappeo(widgetSdk));
    server.on('GET', '/connections', json({ connections: [] }));
    assert.deepEqual(await consulate.connections(), []);
    assert.equal(calls, 3);
  }
});

test('a Happeo that never answers with a JWT is said to have none', async (t) => {
  const { consulate } = await started(t, fromHappeo({ getJWT: () => Promise.reject(new Error('no host')) }));
  await assert.rejects(consulate.connections(), { code: 'caller_jwt_unavailable' });
  const mocked = await started(t, fromHappeo({ getJWT: async () => 'JWT' }));
  await assert.rejects(mocked.consulate.connections(), { code: 'caller_jwt_unavailable' });
});

test("Happeo's one-time JWTs are used where asked for", async (t) => {
  const api = { getJWT: async () => jwt({ exp: inSeconds(300), kind: 'plain' }), getOneTimeJWT: async () => jwt({ exp: inSeconds(300), kind: 'once' }) };
  const kind = (seen) => JSON.parse(Buffer.from(seen.jwt.split('.')[1], 'base64url')).kind;
  for (const [options, expected] of [[{ oneTime: true }, 'once'], [{}, 'plain'], [undefined, 'plain']]) {
    const { server, consulate } = await started(t, fromHappeo(api, options));
    server.on('DELETE', '/connections/acme', json({ status: 'not_connected', revocation: null }));
    server.on('GET', '/connections/acme', json(connection('acme', 'not_connected')));
    await consulate.disconnect('acme');
    assert.equal(kind(server.sent('DELETE', '/connections/acme')[0]), expected);
  }
});

/** Runs `code` with what the shim gives the page. */
async function run(t, code, consulate) {
  const logged = [];
  const items = [];
  const already = { setHeight: () => {} };
  globalThis.appspace = { widgetApi: already };
  t.after(() => delete globalThis.appspace);
  installAppspaceShim(consulate);
  assert.equal(globalThis.appspace.widgetApi.setHeight, already.setHeight, 'what else there is stays');
  const document = { createElement: () => ({}), getElementById: () => ({ append: (item) => items.push(item.textContent) }) };
  const world = { window: { appspace: globalThis.appspace }, document, console: { log: (...words) => logged.push(words) } };
  await vm.runInNewContext(`(async () => {\n${code}\n})()`, world);
  for (let i = 0; i < 200 && logged.length === 0; i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  return { logged, items };
}

test("an Appspace widget's own file runs on the shim, unchanged", async (t) => {
  const { server, consulate } = await started(t, { getCallerJwt: () => jwt({ exp: inSeconds(300) }) });
  const value = [{ subject: 'Stand-up', start: { dateTime: '2026-11-28T09:00:00' } }];
  server.on('POST', '/apis/getEvents', json({ statusCode: 200, body: { value }, headers: {}, contentType: 'application/json', isSuccess: true }));
  const code = await readFile(new URL(await scriptOf('graph-calendar'), FIXTURES), 'utf8');
  const { logged, items } = await run(t, code, consulate);
  assert.deepEqual(logged, [['Stand-up', '2026-11-28T09:00:00']]);
  assert.deepEqual(items, ['2026-11-28T09:00:00 Stand-up']);
  assert.deepEqual(Object.keys(server.received[0].body.params), ['startDate', 'endDate']);
});

test('what Appspace ignores of a call, the shim ignores', async (t) => {
  const { server, consulate } = await started(t, { getCallerJwt: () => jwt({ exp: inSeconds(300) }) });
  server.on('POST', '/apis/getData', json({ isSuccess: true }), problem('authentication_required', { reason: 'not_connected', auth_key: 'acme' }));
  const code = `
    await window.appspace.widgetApi.callAuthenticatedAPI('getData', { params: { a: '1' }, method: 'GET', headers: {} });
    try { await window.appspace.widgetApi.callAuthenticatedAPI('getData'); } catch (error) { console.log(/Authentication required/.test(error.message)); }`;
  assert.deepEqual((await run(t, code, consulate)).logged, [[true]]);
  assert.deepEqual(server.received.map((seen) => seen.body), [{ params: { a: '1' } }, {}]);
});

async function scriptOf(bundle) {
  const html = await readFile(new URL(`${bundle}/widget.html`, FIXTURES), 'utf8');
  return `${bundle}/${/src="([^"]+)"/.exec(html)[1]}`;
}
