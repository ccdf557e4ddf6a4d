// Private settings: values as they are, versions in headers, conditions that are not tried twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { inSeconds, json, jwt, problem, startServer } from './server.mjs';

const SETTING = '/settings/user/layout';

async function started(t) {
  const server = await startServer(t);
  const { settings } = createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt: () => jwt({ exp: inSeconds(300) }) });
  return { server, settings };
}

test('a value comes with its version, whatever JSON it is', async (t) => {
  const { server, settings } = await started(t);
  for (const value of [{ columns: [1, 2] }, 'text', '', 0, false, null, []]) {
    server.on('GET', SETTING, json(value, { headers: { etag: '"v1"' } }));
    assert.deepEqual(await settings.get('user', 'layout'), { value, etag: '"v1"' });
  }
});

test('what is not there is null; a widget that is not there is an error', async (t) => {
  const { server, settings } = await started(t);
  const missing = (code) => ({ ...json({ code, status: 404, title: 't', detail: 'd', retryable: false }), status: 404 });
  server.on('GET', SETTING, missing('setting_unknown'));
  assert.equal(await settings.get('user', 'layout'), null);
  server.on('GET', SETTING, missing('widget_unknown'));
  await assert.rejects(settings.get('user', 'layout'), { code: 'widget_unknown' });
});

test('storing sends the value and answers its version', async (t) => {
  const { server, settings } = await started(t);
  server.on('PUT', SETTING, json({ key: 'layout' }, { status: 201, headers: { etag: '"v2"' } }));
  for (const value of [{ a: 1 }, null, 'text']) {
    assert.deepEqual(await settings.set('user', 'layout', value), { etag: '"v2"' });
    const sent = server.received.at(-1);
    assert.deepEqual([sent.body, sent.headers['if-match'], sent.headers['if-none-match']], [value, undefined, undefined]);
  }
});

test('conditions travel as headers, and a conflict is an error', async (t) => {
  const { server, settings } = await started(t);
  server.on('PUT', SETTING, problem('precondition_failed', { etag: '"v3"' }));
  await assert.rejects(settings.set('user', 'layout', 1, { ifMatch: '"v1"' }), { code: 'precondition_failed', status: 412, retryable: false });
  await assert.rejects(settings.set('user', 'layout', 1, { ifAbsent: true }), { code: 'precondition_failed' });
  const sent = server.received.map(({ headers }) => [headers['if-match'], headers['if-none-match']]);
  assert.deepEqual(sent, [['"v1"', undefined], [undefined, '*']]);
});

test('a conditional write whose fate is unknown is not sent twice; a plain one is', async (t) => {
  const { server, settings } = await started(t);
  const stored = json({}, { headers: { etag: '"v2"' } });
  server.on('PUT', SETTING, null, stored);
  await assert.rejects(settings.set('user', 'layout', 1, { ifMatch: '"v1"' }), { code: 'unreachable' });
  assert.equal(server.received.length, 1);
  server.on('PUT', SETTING, null, stored);
  await settings.set('user', 'layout', 1);
  assert.equal(server.received.length, 3);
  server.on('PUT', SETTING, problem('unavailable'), stored);
  await settings.set('user', 'layout', 1, { ifMatch: '"v1"' });
  assert.equal(server.received.length, 5);
});

test('deleting answers nothing, with a condition or without', async (t) => {
  const { server, settings } = await started(t);
  server.on('DELETE', SETTING, { status: 204, headers: {}, body: undefined });
  assert.equal(await settings.delete('user', 'layout'), undefined);
  await settings.delete('user', 'layout', { ifMatch: '"v1"' });
  assert.equal(server.received[1].headers['if-match'], '"v1"');
});

test('lists come page by page', async (t) => {
  const { server, settings } = await started(t);
  const page = { settings: [{ key: 'layout', value: 1, etag: '"v1"', updated_at: '2026-11-28T10:00:00Z' }], next: 'a/b' };
  server.on('GET', '/settings/organisation', json(page));
  server.on('GET', '/settings/organisation?cursor=a%2Fb', json({ settings: [], next: null }));
  const first = await settings.list('organisation');
  assert.deepEqual(first, page);
  assert.deepEqual(await settings.list('organisation', { cursor: first.next }), { settings: [], next: null });
});
