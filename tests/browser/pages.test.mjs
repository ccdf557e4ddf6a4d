// Every page a person may see, looked at by axe-core and photographed: the demo's host page and both widgets, the connect window and
// every way it can end.
//
// Nothing here is compared with a picture; the pictures are for eyes. May touch: its own server and browser, `target/browser`.

import assert from 'node:assert/strict';
import { accessible } from './axe.mjs';
import { PATIENCE, connect, dashboardOf, openHost, picture, pressConnect, pressContinue, says, stands } from './demo.mjs';
import { afterEach, beforeEach, test, withDev } from './runner.mjs';

/** Codes a connect can end with, as the result page knows them. */
const CODES = [
  'access_denied', 'provider_refused', 'provider_unavailable', 'misconfigured', 'unavailable', 'callback_malformed', 'cookie_missing',
  'state_spent', 'wrong_passport', 'issuer_mismatch', 'config_changed',
];

let dev;
let browser;
let context;

withDev((opened) => ({ dev, browser } = opened));

beforeEach(async () => {
  await dev.disconnectAll();
  // High enough that no frame is out of sight: those are not painted.
  context = await browser.newContext({ viewport: { width: 1280, height: 1700 } });
  context.setDefaultTimeout(PATIENCE);
});

afterEach(async () => {
  await context.close();
});

const look = async (page, name) => {
  await accessible(page, name);
  await picture(page, `page-${name}`);
};
const ready = (host) => dashboardOf(host).getByRole('button', { name: 'Show my sales' }).waitFor();

test('that axe sees: a page with faults has faults', async () => {
  const page = await context.newPage();
  await page.setContent('<html lang="en"><title>x</title><main><h1>x</h1><img src="data:,"><button></button><input></main>');
  await assert.rejects(accessible(page, 'faulty'), /image-alt|button-name/);
});

test('host page and both widgets, before and after, as they are and unfolded', async () => {
  const host = await openHost(context, dev);
  await ready(host);
  await look(host.page, 'demo');
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#notice', 'authentication_required');
  await look(host.page, 'demo-error');

  await connect(host);
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#result', 'listEvents answered 200');
  await dashboardOf(host).getByRole('button', { name: 'Show my sales' }).click();
  await dashboardOf(host).locator('qrvey-end-user table').waitFor();
  await picture(host.page, 'page-demo-connected');
  for (const summary of await host.widget.locator('summary').all()) await summary.click();
  for (const summary of await dashboardOf(host).locator('summary').all()) await summary.click();
  await host.widget.getByRole('button', { name: 'Ask for the token and call' }).click();
  await says(host, '#held', 'straight to this browser');
  await host.widget.getByRole('button', { name: 'Disconnect Acme Cloud' }).click();
  await stands(host, 'Disconnect Acme Cloud?');
  await look(host.page, 'demo-unfolded');
  await host.page.setViewportSize({ width: 390, height: 2600 });
  // The frame tells the host its new height; nothing of it is cut off at the side.
  await host.widget.locator('#content').evaluate((content) => content.scrollWidth <= content.clientWidth || Promise.reject(new Error('too wide')));
  await picture(host.page, 'page-demo-narrow');
});

test('each widget says where it lives when somebody opens it by itself', async () => {
  for (const name of ['widget', 'dashboard']) {
    const page = await context.newPage();
    await page.goto(`${dev.widgetOrigin}/demo/${name}`);
    await page.getByText('This widget lives in a host page').waitFor();
    await look(page, `alone-${name}`);
  }
});

test('the connect window, from the question to the consent', async () => {
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await look(popup, 'handshake');
  await pressContinue(popup);
  await popup.close();
  const copied = await context.newPage();
  await copied.goto(await dev.connectLink('ada'));
  await copied.getByText('The page you came from cannot be reached').waitFor();
  await look(copied, 'handshake-alone');
});

test('a host page that cuts the tie to its windows: plain words, and redirect mode is named', async () => {
  const html = `<!doctype html><meta charset="utf-8"><title>Cut</title><consulate-connect auth-key="acme"></consulate-connect><script type="module">
    import { createConsulate, defineConnectElement } from "${dev.baseUrl}/v1/consulate.js";
    defineConnectElement({ consulate: createConsulate({ baseUrl: "${dev.baseUrl}", widget: "demo", getCallerJwt: () => window.callerJwt() }) });
    </script>`;
  await context.grantPermissions(['local-network-access'], { origin: dev.widgetOrigin });
  await context.route(`${dev.widgetOrigin}/cut`, (route) => route.fulfill({ contentType: 'text/html', headers: { 'cross-origin-opener-policy': 'same-origin' }, body: html }));
  await context.exposeFunction('callerJwt', () => dev.callerJwt('ada'));
  const page = await context.newPage();
  await page.goto(`${dev.widgetOrigin}/cut`);
  const [popup] = await Promise.all([context.waitForEvent('page'), page.getByRole('button', { name: 'Connect Acme Cloud' }).click()]);
  const words = popup.getByRole('alert').filter({ hasText: 'redirect mode' });
  await words.waitFor();
  assert.match(await words.innerText(), /cannot be reached from this window.*Close this window/s);
  assert.equal(await popup.getByRole('button', { name: 'Continue' }).isDisabled(), true);
  await page.getByText('The window is closed').waitFor(); // as far as the page can tell
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Connect Acme Cloud' }).waitFor();
  assert.notEqual(await dev.status('ada'), 'connected');
});

test('every way a connect can end has a page with plain words that says what happens next', async () => {
  const page = await context.newPage();
  const texts = new Set();
  for (const code of CODES) {
    await page.goto(`${dev.baseUrl}/v1/connected?status=failed&code=${code}&widget=demo&auth_key=acme`);
    const text = await page.locator('main').innerText();
    assert.match(text, /The account was not connected/, code);
    assert.match(text, /You can close this window and go back/, code);
    assert.ok(!text.includes(code), 'words, not codes');
    texts.add(text);
    await picture(page, `page-result-${code}`);
  }
  assert.equal(texts.size, CODES.length, 'each says something of its own');
  await accessible(page, 'result-failed'); // they differ in a sentence
  for (const [name, address, words] of [
    ['result-connected', '/v1/connected?status=connected&widget=demo&auth_key=acme', 'Your account is connected'],
    ['result-nothing', '/v1/connected', 'Nothing is going on here'],
    ['link-spent', `/v1/connect/${'A'.repeat(43)}`, 'used already or has expired'],
    ['callback-malformed', '/v1/callback/demo.acme-cloud', 'The account was not connected'],
    ['callback-unknown', `/v1/callback/demo.acme-cloud?code=c&state=${'A'.repeat(43)}`, 'The account was not connected'],
  ]) {
    await page.goto(dev.baseUrl + address);
    await page.getByText(words).first().waitFor();
    assert.ok((await page.locator('main').innerText()).length > 40, `${name} is not blank`);
    await look(page, name);
  }
  await page.goto(`${dev.widgetOrigin}/demo/widget/connected`);
  await page.getByText('This page is where a connection by redirect ends').waitFor();
  await look(page, 'redirect-nothing');
});

test('who reads German is spoken to in German, on every page of a connect', async () => {
  const german = await browser.newContext({ locale: 'de-CH' });
  german.setDefaultTimeout(PATIENCE);
  const host = await openHost(german, dev);
  const popup = await pressConnect(host);
  await popup.getByRole('heading', { name: 'Acme Cloud verbinden' }).waitFor();
  await look(popup, 'handshake-german');
  await popup.getByRole('button', { name: 'Weiter' }).click();
  await popup.getByRole('button', { name: 'Deny' }).click();
  await popup.getByText('Das Konto wurde nicht verbunden').waitFor();
  await popup.getByRole('button', { name: 'Fenster schließen' }).waitFor();
  await look(popup, 'result-german');
  const page = await german.newPage();
  for (const address of [`/v1/connect/${'A'.repeat(43)}`, '/v1/callback/demo.acme-cloud', ...CODES.map((code) => `/v1/connected?status=failed&code=${code}`)]) {
    await page.goto(dev.baseUrl + address);
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
    assert.doesNotMatch(await page.locator('main').innerText(), /\b(the|This|was|you)\b/, address);
  }
  await german.close();
});
