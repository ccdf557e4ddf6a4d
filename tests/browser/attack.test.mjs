// Attacks on the connect window, from real pages in a real browser (S-74, S-76 and the list of attacks on connecting an account).
// Grace is the attacker where one has an account: she wants Ada's account at the provider attached to her own name.
//
// Every test has a profile of its own and ends with nobody connected. May touch: its own server and browser, one foreign page on
// loopback, `target/browser`.

import assert from 'node:assert/strict';
import { launch } from './chromium.mjs';
import { PATIENCE, openHost, picture, pressConnect } from './demo.mjs';
import { serveForeign } from './foreign.mjs';
import { after, afterEach, before, beforeEach, test } from './runner.mjs';
import { startDev } from './server.mjs';
import { watch } from './watch.mjs';

/** Longer than Continue is inert at first. */
const SETTLED = 700;

let dev;
let browser;
let foreign;
let context;
let seen;

before(async () => {
  dev = await startDev();
  browser = await launch();
  foreign = await serveForeign();
});

after(async () => {
  await browser?.close();
  await foreign?.stop();
  await dev?.stop();
});

beforeEach(async () => {
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  seen = await watch(context);
});

afterEach(async () => {
  for (const user of ['ada', 'grace']) assert.equal(await dev.status(user), 'not_connected', user);
  assert.deepEqual(seen.sent(/^GET .*\/demo\/provider\/authorize/), [], 'nobody came as far as the provider');
  await context.close();
});

const jwtField = (page) => page.locator('[name=caller_jwt]');
const proceed = (page) => page.getByRole('button', { name: 'Continue' });

/** Sends the form of the connect window in spite of its button, with `jwt` in it. */
async function forceForm(popup, jwt) {
  const answer = popup.waitForResponse((response) => response.request().method() === 'POST');
  await popup.evaluate((value) => {
    const [form] = document.forms;
    form.elements.caller_jwt.value = value;
    HTMLFormElement.prototype.submit.call(form);
  }, jwt);
  return answer;
}

/** A page on the widget's own origin that answers nobody by itself. */
async function openWidgetOrigin() {
  const page = await context.newPage();
  await page.goto(`${dev.widgetOrigin}/demo/widget`);
  return page;
}

test('a connect link copied into another browser cannot go on, and says why', async () => {
  const victim = await context.newPage();
  await victim.goto(await dev.connectLink('grace'));
  await victim.getByText('The page you came from cannot be reached from this window').waitFor();
  assert.ok((await victim.locator('main').innerText()).includes('grace'), 'it names who asked');
  await victim.waitForTimeout(SETTLED);
  assert.equal(await proceed(victim).isDisabled(), true);
  await picture(victim, 'copied-link');

  const answer = await forceForm(victim, '');
  assert.equal(answer.status(), 403);
  await victim.getByText('Nothing was connected.').waitFor();
  await picture(victim, 'handshake-refused');
});

test("the victim's own JWT does not open somebody else's link", async () => {
  const victim = await context.newPage();
  await victim.goto(await dev.connectLink('grace'));
  const answer = await forceForm(victim, await dev.callerJwt('ada'));
  assert.equal(answer.status(), 403);
});

test("somebody else's link, opened by one's own widget, is refused at Continue", async () => {
  const link = await dev.connectLink('grace');
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await popup.goto(link); // the widget still answers this window, with Ada's JWT
  await proceed(popup).click();
  await popup.getByText('This could not be confirmed as coming from the person who asked to connect.').waitFor();
});

test("a foreign page posts the attacker's own JWT to the handshake: refused, whatever it sends along", async () => {
  const link = await dev.connectLink('grace');
  const jwt = await dev.callerJwt('grace');
  // The attacker's own visit gives a form value that fits the attacker's cookie.
  const own = await (await fetch(link)).text();
  const [, formToken] = /name="form_token" value="([^"]+)"/.exec(own);

  const page = await foreign.open(context, async ({ link: action, jwt: callerJwt, formToken: value }) => {
    // The victim's browser gets the ticket's cookie first: only a window of its own can.
    window.open(action, 'handshake');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const body = new URLSearchParams({ caller_jwt: callerJwt, form_token: value });
    await fetch(action, { method: 'POST', mode: 'no-cors', credentials: 'include', body });
    await fetch(action, { method: 'POST', mode: 'cors', credentials: 'include', body }).catch(() => {});
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', action });
    for (const [name, text] of body) form.append(Object.assign(document.createElement('input'), { name, value: text }));
    document.body.append(form);
    form.submit();
  }, { link, jwt, formToken });
  await page.waitForURL(link);
  await page.getByText('Nothing was connected.').waitFor();
  assert.equal((await context.cookies(dev.baseUrl)).length, 1, "the browser did have the ticket's cookie");
  await seen.settled();
  const answers = seen.traffic.filter(({ what }) => /^answer \d+ of POST .*\/v1\/connect\/[^ ]+$/.test(what)).map(({ what }) => what.slice(7, 10));
  assert.deepEqual([...new Set(answers)], ['403']);
  assert.equal((await fetch(link)).status, 200, 'the ticket is still there for the one who asked');
});

test('a foreign page that frames our pages gets nothing to show', async () => {
  const pages = [await dev.connectLink('ada'), `${dev.baseUrl}/v1/connected?status=connected&widget=demo&auth_key=acme`, dev.hostPage, `${dev.widgetOrigin}/demo/widget`, `${dev.widgetOrigin}/demo/dashboard`];
  const page = await foreign.open(context, (addresses) => {
    for (const src of addresses) document.body.append(Object.assign(document.createElement('iframe'), { src }));
  }, pages);
  const frames = page.frames().slice(1);
  assert.equal(frames.length, pages.length);
  for (const frame of frames) {
    await frame.waitForURL('chrome-error://chromewebdata/');
    assert.equal(await frame.locator('main, form').count(), 0);
  }
  await seen.settled();
  const refused = seen.complaints.filter((text) => /frame-ancestors|X-Frame-Options/i.test(text));
  assert.ok(refused.length >= pages.length, `each was refused as a frame: ${seen.complaints.join('\n')}`);
});

test('an opener of another origin hears nothing, and its answer counts for nothing', async () => {
  const [link, jwt] = [await dev.connectLink('ada'), await dev.callerJwt('ada')];
  const page = await foreign.open(context, ({ jwt: stolen }) => {
    globalThis.heard = [];
    addEventListener('message', ({ data }) => heard.push(data));
    globalThis.open_ = (address) => {
      const popup = window.open(address);
      setInterval(() => {
        for (const nonce of ['', null, undefined, '0'.repeat(64)]) popup.postMessage({ type: 'consulate:jwt', nonce, jwt: stolen }, '*');
      }, 20);
    };
  }, { jwt });
  await context.clock.install();
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.evaluate((address) => open_(address), link)]);
  await popup.locator('#waiting').waitFor();
  await popup.waitForTimeout(SETTLED);
  assert.equal(await jwtField(popup).inputValue(), '');
  assert.equal(await proceed(popup).isDisabled(), true);
  await popup.clock.fastForward(10_000);
  await popup.getByText('The page you came from cannot be reached from this window').waitFor();

  const result = `${dev.baseUrl}/v1/connected?status=connected&widget=demo&auth_key=acme`;
  const [second] = await Promise.all([page.waitForEvent('popup'), page.evaluate((address) => open_(address), result)]);
  await second.getByRole('heading', { name: 'Your account is connected' }).waitFor();
  assert.deepEqual(await page.evaluate(() => heard), []);
});

test("an answer from the right origin counts only with the connect window's own nonce", async () => {
  const [link, jwt] = [await dev.connectLink('ada'), await dev.callerJwt('ada')];
  const page = await openWidgetOrigin();
  const [popup] = await Promise.all([
    page.waitForEvent('popup'),
    page.evaluate((address) => {
      globalThis.asked = new Promise((resolve) => {
        addEventListener('message', ({ data, origin }) => { if (data?.type === 'consulate:jwt-request') resolve({ nonce: data.nonce, origin }); });
      });
      globalThis.popup = window.open(address);
    }, link),
  ]);
  const { nonce, origin } = await page.evaluate(() => asked);
  assert.equal(origin, dev.baseUrl);
  assert.match(nonce, /^[0-9a-f]{64}$/);
  const answer = (value) => page.evaluate(([to, sent]) => popup.postMessage(sent, to), [origin, { type: 'consulate:jwt', jwt, nonce: value }]);
  await answer(nonce.replace(/^./, (first) => (first === '0' ? '1' : '0')));
  await answer(undefined);
  await popup.waitForTimeout(SETTLED);
  assert.equal(await jwtField(popup).inputValue(), '');
  assert.equal(await proceed(popup).isDisabled(), true);
  await answer(nonce);
  await popup.waitForFunction(() => !document.querySelector('button').disabled);
});

test('a page of the right origin that is not the opener is not believed', async () => {
  const [link, jwt] = [await dev.connectLink('ada'), await dev.callerJwt('ada')];
  const page = await openWidgetOrigin();
  const [popup] = await Promise.all([
    page.waitForEvent('popup'),
    page.evaluate((address) => {
      globalThis.asked = new Promise((resolve) => {
        addEventListener('message', ({ data }) => { if (data?.type === 'consulate:jwt-request') resolve(data.nonce); });
      });
      globalThis.popup = window.open(address);
    }, link),
  ]);
  // A frame of the same origin has the window's handle and even the nonce; it still is not the window that opened it.
  await page.evaluate(async () => {
    globalThis.nonce = await asked;
    document.body.append(document.createElement('iframe'));
  });
  await page.frames()[1].evaluate(([to, value]) => {
    const { popup, nonce } = parent;
    popup.postMessage({ type: 'consulate:jwt', jwt: value, nonce }, to);
  }, [dev.baseUrl, jwt]);
  await popup.waitForTimeout(SETTLED);
  assert.equal(await jwtField(popup).inputValue(), '');
});

test('a used link says so in plain words', async () => {
  const page = await context.newPage();
  const answer = await page.goto(`${dev.baseUrl}/v1/connect/${'A'.repeat(43)}`);
  assert.equal(answer.status(), 410);
  await page.getByText('This connect link was used already or has expired.').waitFor();
  await picture(page, 'link-spent');
});

test("script in a provider's words stays text", async () => {
  const page = await context.newPage();
  const words = new URLSearchParams({ error: 'access_denied', description: "<img src=x onerror=alert(1)><script>alert(1)</script>" });
  await context.addCookies([{ name: '__Host-consulate-said', value: words.toString(), url: dev.baseUrl.replace('http:', 'https:'), secure: true }]);
  page.on('dialog', () => assert.fail('a script ran'));
  await page.goto(`${dev.baseUrl}/v1/connected?status=failed&code=access_denied&widget=demo&auth_key=acme`);
  await page.getByText('<img src=x onerror=alert(1)><script>alert(1)</script>').waitFor();
  assert.equal(await page.locator('main img, main script').count(), 0);
  await picture(page, 'provider-said');
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
});
