// The dashboard of the demo page in a real browser: a Qrvey element from a configuration that came from Consulate, for each
// person their own rows, and no API key anywhere the browser could read it.

import assert from 'node:assert/strict';
import { launch } from './chromium.mjs';
import { openHost, picture, signIn, tells } from './demo.mjs';
import { after, before, test } from './runner.mjs';
import { startDev } from './server.mjs';
import { watch } from './watch.mjs';

let dev;
let browser;
let seen;
let host;
let dashboard;

before(async () => {
  dev = await startDev();
  browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  seen = await watch(context);
  host = await openHost(context, dev);
  dashboard = host.page.frameLocator('#dashboard');
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

/** Presses the button; answers the owners that the element shows. */
async function owners() {
  await dashboard.getByRole('button', { name: 'Show my sales' }).click();
  await dashboard.locator('qrvey-end-user table').waitFor();
  return new Set(await dashboard.locator('qrvey-end-user td:first-child').allTextContents());
}

test('each person sees the rows of their own', async () => {
  assert.deepEqual(await owners(), new Set(['ada@acme.example']));
  await tells(host, 'Qrvey asked with the API key');
  await picture(host.page, 'dashboard');
  await signIn(host, 'Grace');
  assert.deepEqual(await owners(), new Set(['grace@acme.example']));
});

test('who could not be shown a dashboard may try again', async () => {
  const context = await browser.newContext();
  const other = await openHost(context, dev);
  const body = JSON.stringify({ title: 'Unavailable', status: 503, detail: 'The instance does not answer.', code: 'unavailable', retryable: false });
  const refuse = (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', headers: { 'access-control-allow-origin': dev.widgetOrigin }, body });
  await context.route('**/qrvey/sales', refuse);
  const frame = other.page.frameLocator('#dashboard');
  const show = frame.getByRole('button', { name: 'Show my sales' });
  await show.click();
  await frame.locator('#notice').filter({ hasText: 'The instance does not answer.' }).waitFor();
  await context.unroute('**/qrvey/sales');
  await show.click();
  await frame.locator('qrvey-end-user table').waitFor();
  assert.equal(await show.isVisible(), false);
  await context.close();
});

test('the configuration holds the domain and the token in both spellings, and nothing else', async () => {
  const config = await dashboard.locator('#dashboard').evaluate(() => window.qrveyConfig);
  assert.deepEqual(Object.keys(config).sort(), ['domain', 'qvToken', 'qv_token']);
  assert.equal(config.qvToken, config.qv_token);
  assert.match(config.domain, /^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a token whose time has come is replaced, and the browser complains of nothing', async () => {
  const token = () => dashboard.locator('#dashboard').evaluate(() => window.qrveyConfig.qvToken);
  const first = await token();
  const deadline = Date.now() + 70_000;
  while (await token() === first) {
    assert.ok(Date.now() < deadline, 'no newer token came');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await dashboard.locator('qrvey-end-user table').waitFor();
  assert.deepEqual(seen.complaints, []);
});
