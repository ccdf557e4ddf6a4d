// The browser client as a page loads it from the server, under the strictest policy a page may have: connecting by its element and by
// script, with windows blocked, refused, and cut off.
//
// The page is the test's own, at the demo widget's origin; server, provider and client are the real ones. May touch: its own server and
// browser, `target/browser`.

import assert from 'node:assert/strict';
import { accessible } from './axe.mjs';
import { PATIENCE, picture, pressAllow, pressContinue, pressLast } from './demo.mjs';
import { afterEach, beforeEach, test, withDev } from './runner.mjs';

const RETURN = '/demo/widget/connected';

let dev;
let browser;
let context;
let complaints;

withDev((opened) => ({ dev, browser } = opened));

beforeEach(async () => {
  await dev.disconnectAll();
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  // Chromium takes a page that a test answers for one from the internet, which has to ask before it may talk to loopback.
  await context.grantPermissions(['local-network-access'], { origin: dev.widgetOrigin });
  complaints = [];
});

afterEach(async () => {
  await context.close();
});

/** The page's script. */
const script = () => `
  import { createConsulate, defineConnectElement } from ${JSON.stringify(`${dev.baseUrl}/v1/consulate.js`)};
  // The browser's own backdrop, said aloud: axe takes what is not said for white, also in the dark.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("html { background: canvas }");
  document.adoptedStyleSheets = [sheet];
  window.steps = [];
  const getCallerJwt = () => window.callerJwt();
  const consulate = window.consulate = createConsulate({ baseUrl: ${JSON.stringify(dev.baseUrl)}, widget: "demo", getCallerJwt });
  for (const what of ["change", "error"]) {
    addEventListener("consulate-" + what, ({ detail }) => window.steps.push(detail.status ? what + " " + detail.status : what + " " + detail.code));
  }
  defineConnectElement({ consulate });
`;

/** Opens the page. `headers` beside its policy; `attributes` of the element. */
async function openPage({ headers = {}, attributes = '' } = {}) {
  const policy = `default-src 'none'; script-src 'self' ${dev.baseUrl}; connect-src ${dev.baseUrl}; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>A page</title><script type="module" src="/page.js"></script>
    <h1>A page</h1><button>before</button><consulate-connect auth-key="acme" ${attributes}></consulate-connect></html>`;
  await context.route(`${dev.widgetOrigin}/page.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: script() }));
  await context.route(`${dev.widgetOrigin}/page`, (route) =>
    route.fulfill({ contentType: 'text/html', headers: { 'content-security-policy': policy, ...headers }, body: html }));
  await context.exposeFunction('callerJwt', () => dev.callerJwt('ada'));
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${dev.widgetOrigin}/page`);
  await page.getByText(/^(Not connected|Disconnected)$/).waitFor();
  return page;
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
/** The window that pressing `locator` opens, at the handshake page. */
async function windowOf(page, press) {
  const [popup] = await Promise.all([page.waitForEvent('popup'), press()]);
  await popup.waitForURL(/\/v1\/connect\//);
  return popup;
}
/** A picture, and what axe has to say. */
async function looked(page, name) {
  await picture(page, name);
  await accessible(page, name);
}
const focused = (page) => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent);

test('by keyboard alone, under the strictest policy: connect, see who, disconnect; the focus is never lost', async () => {
  const page = await openPage();
  await looked(page, 'client-not-connected');
  await button(page, 'before').focus();
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /^Connect /);
  const popup = await windowOf(page, () => page.keyboard.press('Enter'));
  await page.getByRole('status').filter({ hasText: 'Finish in the window' }).waitFor();
  assert.equal(await focused(page), 'Cancel');
  await looked(page, 'client-waiting');
  await pressContinue(popup);
  await pressAllow(popup);
  await page.getByText('Ada Lovelace').waitFor();
  assert.match(await focused(page), /^Disconnect /);
  await looked(page, 'client-connected');
  const answer = await page.evaluate(() => window.consulate.callAuthenticatedAPI('whoAmI'));
  assert.deepEqual([answer.status, answer.data.isSuccess], [200, true]);

  // Disconnecting asks first, with the focus on what changes nothing: a key held down, or a double click, disconnects nobody.
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: /^Disconnect Acme Cloud\?$/ }).waitFor();
  assert.equal(await focused(page), 'Cancel');
  await looked(page, 'client-disconnect');
  await page.keyboard.press('Enter');
  assert.match(await focused(page), /^Disconnect /);
  // A double click, as the browser counts it: at the button itself, wherever the first click has moved it to.
  await page.getByRole('button', { name: /^Disconnect / }).evaluate((node) => {
    for (const detail of [1, 2]) node.dispatchEvent(new MouseEvent('click', { detail, bubbles: true, composed: true }));
  });
  await button(page, 'Cancel').waitFor();
  await page.waitForTimeout(300);
  assert.equal(await dev.status('ada'), 'connected');
  assert.equal(await button(page, 'Cancel').isVisible(), true, 'it still asks');
  await button(page, 'Cancel').press('Enter');
  await page.getByRole('button', { name: /^Disconnect / }).press('Enter');
  assert.equal(await focused(page), 'Cancel');
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /^Disconnect /);
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'Disconnected' }).waitFor();
  assert.match(await focused(page), /^Connect /);
  assert.equal(await dev.status('ada'), 'disconnected');
  const steps = await page.evaluate(() => window.steps);
  assert.deepEqual(steps.filter((step, at) => step !== steps[at - 1]).slice(-2), ['change connected', 'change disconnected']);
  assert.deepEqual(complaints, []);
});

test('looking how things stand does not take back the question whether to disconnect', async () => {
  const page = await openPage();
  const popup = await windowOf(page, () => page.getByRole('button', { name: /^Connect / }).click());
  await pressContinue(popup);
  await pressAllow(popup);
  await page.getByText('Ada Lovelace').waitFor();
  let held;
  await page.route('**/connections/acme', async (route) => {
    await held;
    return route.continue();
  });
  const asks = () => page.getByRole('status').filter({ hasText: /^Disconnect Acme Cloud\?$/ });
  /** Begins to look, does `between`, and lets the look end. */
  const look = async (between = async () => {}) => {
    let goOn;
    held = new Promise((resolve) => { goOn = resolve; });
    const asked = page.waitForRequest('**/connections/acme');
    await page.evaluate(() => { window.looked = document.querySelector('consulate-connect').refresh(); });
    await asked;
    await between();
    goOn();
    await page.evaluate(() => window.looked);
  };
  await look(async () => {
    await page.getByRole('button', { name: /^Disconnect / }).click();
    await asks().waitFor();
  });
  assert.equal(await asks().isVisible(), true, 'after a look that was under way');
  await look();
  assert.equal(await asks().isVisible(), true, 'after a look that began since');
  assert.equal(await focused(page), 'Cancel');
  await page.unroute('**/connections/acme');
  // Unless there is nothing left to ask about.
  await dev.disconnectAll();
  await page.evaluate(() => document.querySelector('consulate-connect').refresh());
  await page.getByText('Disconnected').waitFor();
  assert.equal(await button(page, 'Cancel').isVisible(), false);
});

test('a blocked window becomes a link, and the link connects', async () => {
  const page = await openPage();
  await page.evaluate(() => {
    const open = window.open;
    window.open = () => { window.open = open; return null; };
  });
  await page.getByRole('button', { name: /^Connect / }).click();
  const link = page.getByRole('link', { name: 'Open it here' });
  await link.waitFor();
  await looked(page, 'client-blocked');
  const popup = await windowOf(page, () => link.click());
  await pressContinue(popup);
  await pressAllow(popup);
  await page.getByText('Ada Lovelace').waitFor();
});

test('where every window by script is blocked, the link alone does it', async () => {
  const page = await openPage();
  await page.evaluate(() => { window.open = () => null; });
  await page.getByRole('button', { name: /^Connect / }).click();
  const popup = await windowOf(page, () => page.getByRole('link', { name: 'Open it here' }).click());
  await pressContinue(popup);
  await pressAllow(popup);
  await page.getByText('Ada Lovelace').waitFor();
});

test('without anybody to show a link, a blocked window is an error', async () => {
  const page = await openPage();
  const code = await page.evaluate(() => {
    window.open = () => null;
    return window.consulate.connect('acme').catch((error) => error.code);
  });
  assert.equal(code, 'popup_blocked');
});

test('a refusal is said, and the window that explains it stays', async () => {
  const page = await openPage();
  const popup = await windowOf(page, () => page.getByRole('button', { name: /^Connect / }).click());
  await pressContinue(popup);
  await popup.getByRole('button', { name: 'Deny' }).click();
  await page.getByRole('alert').filter({ hasText: 'You said no' }).waitFor();
  await looked(page, 'client-refused');
  await popup.getByRole('heading', { name: 'The account was not connected' }).waitFor();
  await page.getByRole('button', { name: /^Connect / }).waitFor();
  assert.ok((await page.evaluate(() => window.steps)).includes('error access_denied'));
});

test('a provider that cuts the tie changes nothing', async () => {
  const page = await openPage();
  const popup = await windowOf(page, () => page.getByRole('button', { name: /^Connect / }).click());
  // Playwright lets a test answer no redirect, so the way to the provider becomes a page that goes there by itself.
  const isTicket = (url) => url.origin === dev.baseUrl && url.pathname.startsWith('/v1/connect/');
  await context.route(isTicket, async (route) => {
    if (route.request().method() !== 'POST') return route.fallback();
    const response = await route.fetch({ maxRedirects: 0 });
    const { location, 'set-cookie': cookie } = response.headers();
    await context.route(location, async (consent) => {
      const answer = await consent.fetch();
      await consent.fulfill({ response: answer, headers: { ...answer.headers(), 'cross-origin-opener-policy': 'same-origin' } });
    });
    const body = `<meta http-equiv="refresh" content="0;url=${location.replaceAll('&', '&amp;')}">`;
    return route.fulfill({ contentType: 'text/html', headers: { 'set-cookie': cookie }, body });
  });
  await popup.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('The window is closed').waitFor(); // it is not: its tie is cut
  const consent = context.pages().find((other) => other !== page && !other.isClosed());
  await consent.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('Ada Lovelace').waitFor();
});

test('cancelling closes the window and says nothing bad', async () => {
  const page = await openPage();
  const popup = await windowOf(page, () => page.getByRole('button', { name: /^Connect / }).click());
  await Promise.all([popup.waitForEvent('close'), button(page, 'Cancel').click()]);
  await page.getByRole('button', { name: /^Connect / }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('a page that cuts the tie itself connects by redirect', async () => {
  const page = await openPage({ headers: { 'cross-origin-opener-policy': 'same-origin' }, attributes: `mode="redirect" return-to="${dev.widgetOrigin}${RETURN}"` });
  // The listed address is the demo's own page, whose script gives way to ours.
  await context.route(`${dev.widgetOrigin}/demo/assets/connected.js*`, (route) => route.fulfill({ contentType: 'text/javascript', body: script() }));
  await page.getByRole('button', { name: /^Connect / }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL((url) => url.pathname === RETURN);
  const [completed, again] = await page.evaluate(async () => [await window.consulate.completeRedirect(), await window.consulate.completeRedirect()]);
  assert.equal(completed.status, 'connected');
  assert.equal(again, null);
  assert.equal(page.url(), `${dev.widgetOrigin}${RETURN}`, 'the completion has left the address');
  assert.equal(await dev.status('ada'), 'connected');
});

test('a message from elsewhere moves nobody', async () => {
  const page = await openPage();
  const popup = await windowOf(page, () => page.getByRole('button', { name: /^Connect / }).click());
  // The right words from the wrong window: the page itself, and a frame of another origin.
  await page.evaluate(() => {
    window.answers = [];
    addEventListener('message', ({ data }) => data?.type === 'consulate:jwt' && window.answers.push(data));
    postMessage({ type: 'consulate:jwt-request', nonce: 'n' }, '*');
    postMessage({ type: 'consulate:result', status: 'failed', code: 'access_denied', auth_key: 'acme' }, '*');
  });
  await page.waitForTimeout(500);
  assert.deepEqual(await page.evaluate(() => window.answers), []);
  assert.equal(await page.getByRole('alert').count(), 0);
  await pressContinue(popup);
  await pressLast(popup, 'Allow');
  await page.getByText('Ada Lovelace').waitFor();
});
