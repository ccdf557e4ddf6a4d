// The newcomer's story in one browser, from the first press of Connect to the receipt, watched from beside: every request, answer,
// stored value and complaint of the browser is kept, and searched for credentials at the end. One real minute passes in it.
//
// The tests of this file are the chapters of one story, in order. May touch: its own server and browser, `target/browser`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { launch } from './chromium.mjs';
import { disconnect, openHost, picture, pressAllow, pressConnect, pressContinue, says, signIn, stands, tells } from './demo.mjs';
import { after, before, test } from './runner.mjs';
import { startDev } from './server.mjs';
import { kept, watch } from './watch.mjs';

/** The demo's access tokens live 60 seconds; the rest is for the machine. */
const ACCESS_TOKEN_LIFETIME = 75_000;

let dev;
let browser;
let context;
let seen;
let host;
let popup;

before(async () => {
  dev = await startDev();
  browser = await launch();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  seen = await watch(context);
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

test('the demo opens with nobody connected and nothing done', async () => {
  host = await openHost(context, dev);
  await stands(host, 'Not connected');
  await picture(host.page, 'demo-before');
});

test('a click in the first half second does nothing, even though the caller is known already', async () => {
  // In a profile of its own, whose clock the test moves: half a second is half a second on any machine.
  const profile = await browser.newContext();
  const sent = await watch(profile);
  await profile.clock.install();
  const other = await openHost(profile, dev);
  await profile.clock.pauseAt(Date.now() + 1000);
  const window = await pressConnect(other);
  await window.waitForFunction(() => document.forms[0].elements.caller_jwt.value !== '');
  const { x, y, width, height } = await window.getByRole('button', { name: 'Continue' }).boundingBox();
  const press = () => window.mouse.click(x + width / 2, y + height / 2);
  await press();
  await profile.clock.runFor(490);
  await press();
  await window.waitForTimeout(300); // that a request would need to be seen
  assert.deepEqual(sent.sent(/^POST .*\/v1\/connect\//), []);
  await profile.clock.runFor(20);
  await press();
  await window.getByRole('button', { name: 'Allow' }).waitFor();
  await profile.close();
});

test('the connect window says what is connected, who asked, and in which widget', async () => {
  popup = await pressConnect(host);
  await popup.waitForFunction(() => document.forms[0].elements.caller_jwt.value !== '');
  const text = await popup.locator('main').innerText();
  for (const words of ['Connect Acme Cloud', 'ada', 'acme', 'Acme Cloud calendar']) assert.ok(text.includes(words), `${words} in: ${text}`);
  assert.equal(await popup.locator('#waiting').isVisible(), false);
  assert.equal(await popup.locator('#alone').isVisible(), false);
  await picture(popup, 'handshake');
});

test('Continue leads to the provider, Allow closes the window, and the widget shows the account', async () => {
  await pressContinue(popup);
  await picture(popup, 'consent');
  await pressAllow(popup);
  await stands(host, /^Connected$/);
  await stands(host, 'Ada Lovelace');
  await tells(host, 'Authorization code exchanged at the token endpoint: 200');
  await tells(host, 'The connection is on record: it can be used from now on');
});

test('the widget calls the API, and the timeline tells what the server did', async () => {
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#result', 'listEvents answered 200');
  assert.ok(await host.widget.locator('.events li').count() > 0, 'events are shown');
  await tells(host, 'The widget called listEvents');
  await tells(host, `Credential injected for 127.0.0.1`);
  await tells(host, 'Access token opened from its sealed row');
  await picture(host.page, 'demo-called');
});

test('what Ada connected is not connected for Grace', async () => {
  await signIn(host, 'Grace');
  await stands(host, 'Not connected');
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#notice', 'authentication_required');
  assert.equal(await host.widget.locator('.events li').count(), 0);
  await signIn(host, 'Ada');
  await stands(host, 'Ada Lovelace');
});

test('a minute later the access token has expired, and the next call renews it on the way', async () => {
  await host.widget.locator('#lifetime-text').filter({ hasText: 'has expired' }).waitFor({ timeout: ACCESS_TOKEN_LIFETIME });
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#result', 'listEvents answered 200');
  await tells(host, 'Access token had expired: the custodian renewed it first');
  await tells(host, 'Refresh token presented at the token endpoint: 200');
  await says(host, '#lifetime-text', 'lives for another');
  await picture(host.page, 'demo-renewed');
});

test('disconnecting revokes the grant at the provider and shows the receipt', async () => {
  await disconnect(host);
  await says(host, '#notice', 'Acme Cloud confirmed that the grant is revoked.');
  await host.widget.getByText('The receipt').click();
  const receipt = JSON.parse(await host.widget.locator('#notice pre').innerText());
  assert.equal(receipt.result, 'revoked');
  await stands(host, 'Disconnected');
  await tells(host, 'Revocation asked of the provider (revoked)');
  await tells(host, 'The connection has ended, with a receipt (revoked)');
  // Every line the functions wrote so far is told in words; a name of the log's own would stand there with its colon.
  const told = await host.page.locator('#timeline h3, #timeline .steps p').allInnerTexts();
  assert.deepEqual(told.filter((text) => /^(custodian|server|settings|proxy|connect|qrvey-token): /.test(text) || text === 'audit'), []);
  await picture(host.page, 'demo-disconnected');
});

test('no token, and no secret that leads to one, was ever in the browser', async () => {
  await seen.settled();
  assert.deepEqual(seen.unread, []);
  // The provider keeps digests of what it issued: that is how it is recognised here without being known.
  const { access, refresh } = await dev.file('demo-provider.json');
  const issued = new Set([...Object.keys(access), ...Object.keys(refresh)]);
  assert.ok(Object.keys(access).length >= 2 && Object.keys(refresh).length >= 2, 'tokens were issued, and renewed');
  const digest = (word) => createHash('sha256').update(word).digest('base64url');
  const secrets = await dev.file('secrets.json');
  const { client_secret: clientSecret } = JSON.parse(secrets['consulate/passports/demo.acme-cloud'].value);
  const keys = Object.entries(secrets).filter(([name]) => name.startsWith('consulate/keys/'))
    .flatMap(([, { value }]) => Object.values(JSON.parse(value).keys));
  const [hostSecret] = JSON.parse(secrets['consulate/widgets/demo'].value).host_secrets;
  const forbidden = [clientSecret, hostSecret, ...keys, 'acme-access-', 'acme-refresh-', '"access_token"', '"refresh_token"', 'code_verifier'];

  for (const { what, text } of seen.traffic) {
    for (const secret of forbidden) assert.ok(!text.includes(secret), `${what} holds ${secret.slice(0, 16)}`);
    for (const word of text.match(/[\w-]{24,}/g) ?? []) assert.ok(!issued.has(digest(word)), `${what} holds an issued token`);
  }
  // That the search looks where credentials would be: an authorization code does pass through the browser (RFC 6749 section 1.2).
  assert.ok(seen.traffic.some(({ text }) => text.includes('acme-code-')), 'the codes were seen');
  assert.ok(seen.traffic.some(({ what }) => what.startsWith('answer 200 of POST') && what.includes('/apis/listEvents')), 'the calls were seen');
});

test('no caller JWT was ever in an address, and no address of a connect is left', () => {
  assert.deepEqual(seen.sent(/eyJ[\w-]+\.eyJ/), []);
  for (const page of context.pages()) assert.equal(page.url(), dev.hostPage);
});

test('scripts find nothing that the browser keeps', async () => {
  const nothing = { cookie: '', local: [], session: [], databases: [], caches: [], name: '' };
  for (const found of await kept(context)) assert.deepEqual(found, nothing);
  // Every cookie that came has gone again: each flow's ends with it.
  assert.deepEqual(await context.cookies(), []);
});

test('the browser complained about nothing: no policy violation, no error, no warning', () => {
  // It does complain about every answer that is no success: Grace's call without a connection had to be one.
  const refused = /\/apis\/listEvents: .* 424 /;
  assert.ok(seen.complaints.some((complaint) => refused.test(complaint)), 'complaints are heard');
  assert.deepEqual(seen.complaints.filter((complaint) => !refused.test(complaint)), []);
});
