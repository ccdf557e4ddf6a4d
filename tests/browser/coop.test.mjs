// A widget in a frame of a host page that cuts the tie to every window opened from it (Cross-Origin-Opener-Policy: same-origin): a
// window does open there, but no script has a handle to it, and it has no opener.
//
// Both pages are the test's own, at the demo's two origins; server, provider and client are the real ones. May touch: its own server
// and browser, `target/browser`.

import assert from 'node:assert/strict';
import { accessible } from './axe.mjs';
import { PATIENCE, picture } from './demo.mjs';
import { afterEach, beforeEach, test, withDev } from './runner.mjs';

const RETURN = '/demo/widget/connected';
const SANDBOX = 'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox';

let dev;
let browser;
let context;

withDev((opened) => ({ dev, browser } = opened));

beforeEach(async () => {
  await dev.disconnectAll();
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  for (const origin of [dev.widgetOrigin, dev.hostOrigin]) await context.grantPermissions(['local-network-access'], { origin });
  await context.exposeFunction('callerJwt', () => dev.callerJwt('ada'));
});

afterEach(async () => {
  await context.close();
});

/** What both of the widget's pages begin with: each gets a caller JWT by itself, without the page that opened it. */
const client = () => `import { createConsulate, defineConnectElement } from ${JSON.stringify(`${dev.baseUrl}/v1/consulate.js`)};
  const consulate = createConsulate({ baseUrl: ${JSON.stringify(dev.baseUrl)}, widget: "demo", getCallerJwt: () => window.callerJwt() });`;

/** The host page with the widget in its frame, whose element has these attributes. */
async function openHost(attributes = '') {
  const page = await context.newPage();
  const widget = `<!doctype html><html lang="en"><title>Widget</title><h1>Widget</h1><consulate-connect auth-key="acme" ${attributes}></consulate-connect>
    <script type="module">${client()} defineConnectElement({ consulate });</script></html>`;
  const host = `<!doctype html><html lang="en"><title>Host</title><h1>Host</h1><iframe title="Widget" sandbox="${SANDBOX}" src="${dev.widgetOrigin}/widget" width="600" height="300"></iframe></html>`;
  await context.route(`${dev.widgetOrigin}/widget`, (route) => route.fulfill({ contentType: 'text/html', body: widget }));
  await context.route(`${dev.hostOrigin}/host`, (route) =>
    route.fulfill({ contentType: 'text/html', headers: { 'cross-origin-opener-policy': 'same-origin' }, body: host }));
  await page.goto(`${dev.hostOrigin}/host`);
  return { page, widget: page.frameLocator('iframe') };
}

/** Presses Connect, which the element finds blocked, and the link it then shows; answers the one page that the link opens. */
async function pressLink({ page, widget }) {
  await widget.getByRole('button', { name: 'Connect Acme Cloud' }).click();
  const link = widget.getByRole('link', { name: 'Open it here' });
  await link.waitFor();
  await widget.getByText('Your browser blocked the window').waitFor();
  // A window of the first press may be there, without an address: nobody could give it one.
  const opened = () => context.pages().filter((one) => one !== page && one.url() !== 'about:blank');
  await link.click();
  for (const deadline = Date.now() + PATIENCE; opened().length === 0; await page.waitForTimeout(50)) {
    assert.ok(Date.now() < deadline, 'no window opened');
  }
  await page.waitForTimeout(1_000); // that a second one would need
  assert.equal(opened().length, 1, 'one press opens one window');
  return opened()[0];
}

test('redirect mode works: by the link, where the page of `returnTo` knows by itself who is signed in', async () => {
  const host = await openHost(`mode="redirect" return-to="${dev.widgetOrigin}${RETURN}"`);
  await context.route(`${dev.widgetOrigin}/demo/assets/connected.js*`, (route) =>
    route.fulfill({ contentType: 'text/javascript', body: `${client()} consulate.completeRedirect().then(({ status }) => { document.title = status; });` }));
  const tab = await pressLink(host);
  assert.equal(await tab.evaluate(() => window.opener), null, 'the tie is cut');
  await tab.getByRole('button', { name: 'Allow' }).click();
  await tab.waitForFunction(() => document.title === 'connected');
  await host.widget.getByText('Ada Lovelace').waitFor(); // learnt by asking: nobody could tell
  assert.equal(await dev.status('ada'), 'connected');
});

test('redirect mode does not work where that page asks its opener: it says so, and nothing is connected', async () => {
  const host = await openHost(`mode="redirect" return-to="${dev.widgetOrigin}${RETURN}"`);
  const tab = await pressLink(host);
  await tab.getByRole('button', { name: 'Allow' }).click();
  await tab.getByText('The page that started this is gone.').waitFor();
  assert.notEqual(await dev.status('ada'), 'connected');
});

test('popup mode cannot work: the window says why, and what does', async () => {
  const host = await openHost();
  const window = await pressLink(host);
  const alone = window.locator('#alone');
  await alone.filter({ hasText: 'that page cuts the tie to windows it opens (Cross-Origin-Opener-Policy, or a sandbox)' }).waitFor();
  await alone.filter({ hasText: 'connect in redirect mode' }).waitFor();
  assert.equal(await window.getByRole('button', { name: 'Continue' }).isDisabled(), true);
  await accessible(window, 'alone');
  await picture(window, 'coop-alone');
  // The widget waits on, and can be told to stop.
  await host.widget.getByRole('button', { name: 'Cancel' }).click();
  await host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).waitFor();
});
