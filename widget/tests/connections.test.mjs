// Status, disconnecting, and who hears of changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { connection, inSeconds, json, jwt, problem, startServer } from './server.mjs';

const CONNECTED = connection('acme', 'connected', { connected_at: '2026-11-28T10:00:00Z', account: { id: '1', email: 'ada@example.com', name: 'Ada' } });

async function started(t) {
  const server = await startServer(t);
  const consulate = createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt: () => jwt({ exp: inSeconds(300) }) });
  const heard = [];
  const stop = consulate.onChange((now) => heard.push(`${now.auth_key} ${now.status}`));
  return { server, consulate, heard, stop };
}

/** Until something has happened, or a second is over. */
async function until(happened) {
  for (let i = 0; i < 100 && !happened(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('connections are listed, and listeners hear what is new', async (t) => {
  const { server, consulate, heard } = await started(t);
  const both = [CONNECTED, connection('other', 'not_connected')];
  server.on('GET', '/connections', json({ connections: both }));
  assert.deepEqual(await consulate.connections(), both);
  await consulate.connections();
  assert.deepEqual(heard, ['acme connected', 'other not_connected']);
});

test('a disconnect answers the receipt, and listeners hear of it', async (t) => {
  const { server, consulate, heard } = await started(t);
  const receipt = { status: 'disconnected', revocation: { result: 'revoked', at: '2026-11-28T10:00:00Z', attempts: 1 } };
  server.on('GET', '/connections/acme', json(CONNECTED), json(connection('acme', 'disconnected')));
  server.on('DELETE', '/connections/acme', json(receipt));
  await consulate.connection('acme');
  assert.deepEqual(await consulate.disconnect('acme'), receipt);
  await until(() => heard.length === 2);
  assert.deepEqual(heard, ['acme connected', 'acme disconnected']);
});

test('a call that finds a connection ended makes listeners hear of it, once', async (t) => {
  const { server, consulate, heard } = await started(t);
  server.on('GET', '/connections/acme', json(CONNECTED), json(connection('acme', 'needs_reauthorisation', { reason: 'provider_refused' })));
  server.on('POST', '/apis/a', problem('authentication_required', { reason: 'provider_refused', auth_key: 'acme' }));
  await consulate.connection('acme');
  for (let i = 0; i < 3; i += 1) {
    await assert.rejects(consulate.callAuthenticatedAPI('a'), { reason: 'provider_refused' });
    await until(() => heard.length === 2);
  }
  assert.deepEqual(heard, ['acme connected', 'acme needs_reauthorisation']);
  assert.equal(server.sent('GET', '/connections/acme').length, 2);
});

test('a missing scope changes nothing about the connection', async (t) => {
  const { server, consulate } = await started(t);
  server.on('GET', '/connections/acme', json(CONNECTED));
  server.on('POST', '/apis/a', problem('authentication_required', { reason: 'missing_scopes', auth_key: 'acme' }));
  await consulate.connection('acme');
  await assert.rejects(consulate.callAuthenticatedAPI('a'), { reason: 'missing_scopes' });
  assert.equal(server.sent('GET', '/connections/acme').length, 1);
});

test('who has stopped listening hears nothing more', async (t) => {
  const { server, consulate, heard, stop } = await started(t);
  server.on('GET', '/connections/acme', json(CONNECTED));
  stop();
  await consulate.connection('acme');
  assert.deepEqual(heard, []);
});

test('a refused disconnect says why', async (t) => {
  const { server, consulate } = await started(t);
  server.on('DELETE', '/connections/acme', problem('caller_forbidden', { field: 'auth_key' }));
  await assert.rejects(consulate.disconnect('acme'), { code: 'caller_forbidden', status: 403, retryable: false });
  assert.equal(server.received.length, 1);
});

test("an access token is handed out where the server does", async (t) => {
  const { server, consulate } = await started(t);
  const token = { access_token: 'at', token_type: 'Bearer', expires_at: '2026-11-28T11:00:00Z' };
  server.on('GET', '/connections/acme/access-token', json(token), problem('caller_forbidden'));
  assert.deepEqual(await consulate.accessToken('acme'), token);
  await assert.rejects(consulate.accessToken('acme'), { code: 'caller_forbidden' });
});
