// A typed credential: sent once, whatever becomes of it, and in nothing that comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConsulate } from '../dist/consulate.js';
import { connection, html, inSeconds, json, jwt, problem, startServer } from './server.mjs';

const TYPED = { api_key: 'typed-and-secret' };

async function started(t) {
  const server = await startServer(t);
  let asked = 0;
  const getCallerJwt = () => jwt({ exp: inSeconds(300), n: (asked += 1) });
  return { server, consulate: createConsulate({ baseUrl: server.baseUrl, widget: 'calendar', getCallerJwt }) };
}

test('what is typed is put at its connection, whose new status is answered and told', async (t) => {
  const { server, consulate } = await started(t);
  const told = [];
  consulate.onChange(({ status }) => told.push(status));
  server.on('PUT', '/connections/a%2Fb', json(connection('a/b', 'connected')));
  assert.equal((await consulate.typeCredential('a/b', TYPED)).status, 'connected');
  assert.deepEqual(server.received.map(({ body }) => body), [TYPED]);
  assert.deepEqual(told, ['connected']);
});

test('it is sent once, even where the same words of a call would be sent again', async (t) => {
  const answers = [problem('unavailable'), problem('rate_limited'), problem('refresh_busy'), problem('unavailable', { headers: { 'retry-after': '1' } }), html(502), html(429), null];
  for (const answer of answers) {
    const { server, consulate } = await started(t);
    server.on('PUT', '/connections/acme', answer, json(connection('acme', 'connected')));
    const error = await consulate.typeCredential('acme', TYPED).then(() => assert.fail('it was sent again'), (reason) => reason);
    assert.equal(error.retryable, true, error.code);
    assert.equal(server.received.length, 1, error.code);
    assert.ok(!JSON.stringify([error, error.message, error.problem]).includes(TYPED.api_key));
  }
});

test('a refused caller JWT is replaced: nobody has looked at what was typed', async (t) => {
  const { server, consulate } = await started(t);
  server.on('PUT', '/connections/acme', problem('caller_unauthenticated'), problem('caller_unauthenticated'), json(connection('acme', 'connected')));
  await assert.rejects(consulate.typeCredential('acme', TYPED), { code: 'caller_unauthenticated' });
  assert.equal(server.received.length, 2);
  assert.equal(new Set(server.received.map((sent) => sent.jwt)).size, 2);
});
