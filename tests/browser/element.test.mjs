// The connect element where an account's credential is typed, and the shapes in which widgets meet their hosts: Appspace's own example
// on the shim, Happeo's embedded frame, the sandbox that hosts put around a widget.
//
// The pages are the tests' own, on a loopback port of their own; server and client are the real ones. May touch: its own servers and
// browser, the temporary directory, `target/browser`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { accessible } from './axe.mjs';
import { launch } from './chromium.mjs';
import { PATIENCE, openHost, picture, pressAllow, pressContinue, stands } from './demo.mjs';
import { after, before, test } from './runner.mjs';
import { startDev } from './server.mjs';
import { kept, watch } from './watch.mjs';

const CALENDAR = fileURLToPath(new URL('../fixtures/bundles/graph-calendar', import.meta.url));
/** An API key that the API below takes. */
const KEY = 'key-that-is-right';

/** Library: an API that takes a key, and the bundle of a widget that calls it. */
const ENTRY = `
family = "library"

[[provider]]
id = "library"
name = "Library"
category = "Library"
credential = "api_key"
inject = { header = "X-Api-Key" }
api_hosts = ["api.library.example"]
confidence = "unverified"
sources = ["the test"]

[provider.profile]
url = "https://api.library.example/me"
id_path = "$.id"
name_path = "$.name"

[provider.probe]
method = "GET"
url = "https://api.library.example/me"
`;
const SCHEMA = {
  templateKey: 'books', name: 'Books', version: '1.0.0', description: 'Books', widgetType: 'custom',
  authentications: [{ label: 'Library', authenticationType: 'passport', authKey: 'library', metadata: { passportProvider: 'library', passportType: 'api_key' } }],
  authenticatedApis: [{ label: 'Me', name: 'me', url: 'https://api.library.example/me', method: 'GET', authenticationKey: 'library', headers: {} }],
};

let dev;
let browser;
let folder;
let pages;
let origin;
let api;
/** What the page server answers, by path: `{type, body}`. */
const served = new Map();

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'consulate-element-'));
  pages = createServer((request, response) => {
    const { type = 'text/html; charset=utf-8', body } = served.get(request.url.split('?')[0]) ?? {};
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type });
    response.end(body);
  }).listen(0, '127.0.0.1');
  api = createServer((request, response) => {
    const known = request.headers['x-api-key'] === KEY;
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(known ? { id: 'l1', name: 'Ada of the library' } : { error: 'no' }));
  }).listen(0, '127.0.0.1');
  await Promise.all([once(pages, 'listening'), once(api, 'listening')]);
  origin = `http://localhost:${pages.address().port}`;

  // The example as Appspace prints it; only what says whose pages may call is ours.
  await cp(CALENDAR, path.join(folder, 'calendar'), { recursive: true });
  const own = path.join(folder, 'calendar', 'consulate.json');
  await writeFile(own, JSON.stringify({ ...JSON.parse(await readFile(own, 'utf8')), origins: [origin] }));
  dev = await startDev('--simulate', 'microsoft', '--import', path.join(folder, 'calendar'), '--stand-in', `api.library.example=${api.address().port}`);

  const books = path.join(folder, 'books');
  await cp(CALENDAR, books, { recursive: true });
  await writeFile(path.join(books, 'schema.json'), JSON.stringify(SCHEMA));
  await writeFile(path.join(books, 'consulate.json'), JSON.stringify({
    widget: 'books', host: { type: 'happeo', id: 'books' }, origins: [origin], authentications: { library: { owner: 'user', delivery: 'server' } },
  }));
  await writeFile(path.join(folder, 'library.toml'), ENTRY);
  await dev.consulate('providers', 'add', path.join(folder, 'library.toml'));
  await dev.consulate('passports', 'add', 'library', '--provider', 'library');
  await dev.consulate('import', books, '--bind', 'library=library');
  await dev.consulate({ input: JSON.stringify({ host_secrets: ['a secret of the host that is long enough for HS256'] }) }, 'secret', 'set', 'widgets/books');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await dev?.stop();
  for (const server of [pages, api]) {
    server?.closeAllConnections();
    server?.close();
  }
  await rm(folder, { recursive: true, force: true });
});

/** A page of a fresh profile, to which `setUp` is done first; `window.callerJwt()` in it is `jwt()`. */
async function open(address, jwt, setUp = async () => {}) {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  await setUp(context);
  await context.exposeFunction('callerJwt', jwt);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** A page with the element and the form for `user`, in a fresh profile that `setUp` may watch before it opens. */
async function openBooks(user, setUp) {
  served.set('/books', { body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Books</title><meta name="color-scheme" content="light dark">
    <style>html { background: canvas }</style><h1>Books</h1><consulate-connect auth-key="library"></consulate-connect><script type="module">
    import { createConsulate, defineConnectElement } from "${dev.baseUrl}/v1/consulate.js";
    import { credentialForm } from "${dev.baseUrl}/v1/consulate.credentials.js";
    const consulate = window.consulate = createConsulate({ baseUrl: "${dev.baseUrl}", widget: "books", getCallerJwt: () => window.callerJwt() });
    window.errors = [];
    addEventListener("consulate-error", ({ detail }) => errors.push(detail.code));
    defineConnectElement({ consulate, credentialForm });
    </script></html>` });
  return open(`${origin}/books`, () => dev.jwtOf('books', user), setUp);
}

/** Presses the button that shows the form; answers its field. */
async function formOf(page) {
  const field = page.getByLabel('API key');
  await page.getByRole('button', { name: 'Connect Library' }).press('Enter');
  await field.waitFor();
  return field;
}

/** What has the focus, through every shadow: its text or name. */
const focused = (page) => page.evaluate(() => {
  let node = document.activeElement;
  while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node.name || node.textContent;
});

const isTyped = (url) => url.pathname === '/v1/widgets/books/connections/library';
const submit = (page) => page.getByRole('button', { name: 'Connect', exact: true });

test('an API key is typed in the element, tried at the provider, and is nowhere afterwards', async () => {
  let seen;
  const page = await openBooks('ada', async (context) => { seen = await watch(context); });
  const field = await formOf(page);
  assert.equal(await field.evaluate((input) => [input.type, input.getAttribute('autocomplete'), input.required].join()), 'password,new-password,true');
  assert.equal(await focused(page), 'api_key', 'the field has the focus');
  await accessible(page, 'the form');

  await page.keyboard.type('key-that-is-wrong');
  await page.keyboard.press('Enter');
  const alert = page.getByRole('alert').filter({ hasText: 'The provider does not accept this credential. Nothing was stored.' });
  await alert.waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal(await field.evaluate((input) => input.getRootNode().getElementById(input.getAttribute('aria-describedby')).role), 'alert');
  await accessible(page, 'the form, refused');
  await picture(page, 'client-typed-refused');
  assert.deepEqual(await page.evaluate(() => errors), ['request_invalid']);

  await field.fill(KEY);
  await submit(page).click();
  await page.getByText('Ada of the library').waitFor();
  assert.equal(await page.locator('consulate-connect input').count(), 0, 'the form is gone with what was typed');
  const answer = await page.evaluate(() => consulate.callAuthenticatedAPI('me'));
  assert.deepEqual(answer.data.body, { id: 'l1', name: 'Ada of the library' });
  assert.ok(!JSON.stringify(await page.evaluate(() => consulate.connections())).includes(KEY));
  await page.reload();
  await page.getByText('Ada of the library').waitFor();
  await seen.settled();
  const address = `${dev.baseUrl}/v1/widgets/books/connections/library`;
  assert.deepEqual(seen.traffic.filter(({ text }) => text.includes(KEY)).map(({ what }) => what), [`PUT ${address}`], 'sent once, and in no answer');
  assert.ok(!JSON.stringify(await kept(page.context())).includes(KEY), 'kept nowhere');
  await page.context().close();
});

test('what cannot be used is said in the words of what is wrong with it, at its field', async () => {
  const page = await openBooks('grace');
  const field = await formOf(page);
  await field.fill('with a space');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: '`api_key` has a space or a letter outside ASCII.' }).waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  await page.context().close();
});

test('by keyboard alone: while the key is tried the focus stays, and nothing is sent or forgotten', async () => {
  const page = await openBooks('linus');
  const field = await formOf(page);
  let goOn;
  const held = new Promise((resolve) => { goOn = resolve; });
  let sent = 0;
  await page.route(isTyped, async (route) => {
    if (route.request().method() !== 'PUT') return route.fallback();
    sent += 1;
    await held;
    return route.continue();
  });
  await page.keyboard.type(KEY);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Connect');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'Trying it at the provider' }).waitFor();
  assert.equal(await focused(page), 'Connect', 'the button that was pressed keeps the focus');
  assert.equal(await submit(page).getAttribute('aria-disabled'), 'true');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Cancel');
  await page.keyboard.press('Enter');
  assert.equal(await field.inputValue(), KEY, 'cancelling what is under way would only hide it');
  goOn();
  await page.getByText('Ada of the library').waitFor();
  assert.equal(sent, 1);
  assert.equal(await focused(page), 'Disconnect Library', 'the form hands the focus on when it goes');
  await page.context().close();
});

test('an answer that is lost on the way: sent once, and the status says that it was kept', async () => {
  const page = await openBooks('margaret');
  await formOf(page);
  let sent = 0;
  await page.route(isTyped, async (route) => {
    if (route.request().method() !== 'PUT') return route.fallback();
    sent += 1;
    await route.fetch();
    const body = JSON.stringify({ title: 'Unavailable', status: 503, detail: 'The credential could not be tried at the provider.', code: 'unavailable', retryable: true });
    return route.fulfill({ status: 503, contentType: 'application/problem+json', headers: { 'access-control-allow-origin': origin }, body });
  });
  await page.keyboard.type(KEY);
  await page.keyboard.press('Enter');
  await page.getByText('Ada of the library').waitFor();
  assert.deepEqual([sent, await page.evaluate(() => errors)], [1, ['unavailable']]);
  await page.context().close();
});

test('the button says what the connection needs now, not when it was drawn, and what is typed stays', async () => {
  const page = await openBooks('edsger');
  await page.getByRole('button', { name: 'Connect Library', exact: true }).waitFor();
  await page.route(isTyped, async (route) => {
    const response = await route.fetch();
    return route.fulfill({ response, json: { ...await response.json(), status: 'needs_reauthorisation' } });
  });
  const look = () => page.evaluate(() => document.querySelector('consulate-connect').refresh());
  await look();
  await page.getByText('Has to be connected again').waitFor();
  await page.getByRole('button', { name: 'Reconnect Library', exact: true }).click();
  await page.getByLabel('API key').fill('half of a ke');
  await page.unroute(isTyped);
  await look();
  await page.getByText('Not connected').waitFor();
  await page.getByRole('form', { name: 'Connect Library', exact: true }).waitFor();
  assert.equal(await page.getByLabel('API key').inputValue(), 'half of a ke');
  await page.context().close();
});

test('without the form, the element does not offer what it cannot do', async () => {
  served.set('/bare', { body: `<!doctype html><title>Books</title><consulate-connect auth-key="library"></consulate-connect><script type="module">
    import { createConsulate, defineConnectElement } from "${dev.baseUrl}/v1/consulate.js";
    defineConnectElement({ consulate: createConsulate({ baseUrl: "${dev.baseUrl}", widget: "books", getCallerJwt: () => window.callerJwt() }) });
    </script>` });
  const page = await open(`${origin}/bare`, () => dev.jwtOf('books', 'grace'));
  await page.getByText('Connected elsewhere').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  await page.context().close();
});

test("Appspace's example widget runs on the shim, its files unchanged", async () => {
  const html = await readFile(path.join(CALENDAR, 'widget.html'), 'utf8');
  served.set('/widget.css', { type: 'text/css', body: await readFile(path.join(CALENDAR, 'widget.css')) });
  served.set('/js/widget.js', { type: 'text/javascript', body: await readFile(path.join(CALENDAR, 'js/widget.js')) });
  // What a host adds: the client and the shim before the widget's script, and a place to connect.
  const host = `<script src="${dev.baseUrl}/v1/consulate.classic.js"></script><script>
    const consulate = Consulate.createConsulate({ baseUrl: "${dev.baseUrl}", widget: "calendar", getCallerJwt: () => window.callerJwt() });
    Consulate.installAppspaceShim(consulate);
    Consulate.defineConnectElement({ consulate });
    </script>`;
  served.set('/widget.html', { body: html.replace('<body>', `<body>${host}<consulate-connect auth-key="msGraph"></consulate-connect>`) });
  let refused;
  const page = await open(`${origin}/widget.html`, () => dev.jwtOf('calendar', 'ada'), async (context) => { refused = context.waitForEvent('weberror'); });
  assert.match((await refused).error().message, /Authentication required/, 'what Appspace says where nobody is connected');

  const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect Microsoft 365' }).click()]);
  await popup.waitForURL(/\/v1\/connect\//);
  await pressContinue(popup);
  await pressAllow(popup);
  await page.getByRole('button', { name: 'Disconnect Microsoft 365' }).waitFor();
  const logged = [];
  page.on('console', (message) => logged.push(message.text()));
  await page.reload();
  await page.locator('#items li').first().waitFor();
  assert.deepEqual(await page.locator('#items li').allTextContents(), logged.map((line) => line.replace(/^(.*) (\S+)$/, '$2 $1')));
  assert.match(logged[0], /^Meeting of Ada Lovelace /);
  await page.context().close();
});

test("Happeo's embedded frame brings the caller JWT in its name and renews it by message", async () => {
  const asked = [];
  const jwt = () => dev.jwtOf('books', 'ada');
  served.set('/happeo', { body: `<!doctype html><title>Happeo</title><body><script>
    addEventListener("message", async ({ source, data }) => {
      if (data._c) source.postMessage({ _h: { token: await window.callerJwt("renewed") } }, "${origin}");
    });
    window.callerJwt("first").then((token) => {
      const frame = document.createElement("iframe");
      frame.name = JSON.stringify({ token, scopedData: {}, context: {} });
      frame.src = "${origin}/embedded";
      frame.sandbox = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox";
      document.body.append(frame);
    });
    </script>` });
  // As docs/hosts.md writes it: the token in a variable, a new one by message when it is refused or asked for again.
  served.set('/embedded', { body: `<!doctype html><title>Embedded</title><script type="module">
    import { createConsulate } from "${dev.baseUrl}/v1/consulate.js";
    let { token } = JSON.parse(window.name);
    window.name = "";
    const renewed = () => new Promise((resolve) => {
      addEventListener("message", ({ source, origin, data }) => { if (source === parent && origin === ${JSON.stringify(dev.hostOrigin)} && data._h) resolve(data._h.token); });
      parent.postMessage({ _c: { scopes: ["userinfo.id", "organisation.id"], resize: true } }, ${JSON.stringify(dev.hostOrigin)});
    });
    const getCallerJwt = () => { const first = token; token = null; return first ?? renewed(); };
    const consulate = createConsulate({ baseUrl: "${dev.baseUrl}", widget: "books", getCallerJwt });
    const { connections: [one] } = { connections: await consulate.connections() };
    document.title = one.auth_key + " " + one.status;
    </script>` });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  await context.exposeFunction('callerJwt', (which) => {
    asked.push(which);
    return which === 'first' ? 'a.b.c' : jwt(); // the first has ended meanwhile, as far as the server is concerned
  });
  // The host is another site than the widget's page.
  const body = served.get('/happeo').body;
  await context.grantPermissions(['local-network-access'], { origin: dev.hostOrigin });
  await context.route(`${dev.hostOrigin}/happeo`, (route) => route.fulfill({ contentType: 'text/html', body }));
  const page = await context.newPage();
  await page.goto(`${dev.hostOrigin}/happeo`);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame.waitForFunction(() => document.title.startsWith('library '));
  assert.deepEqual(asked, ['first', 'renewed']);
  await context.close();
});

test('in the sandbox that hosts put around a widget, connecting works; without a word of it, the element says so', async () => {
  const context = await browser.newContext();
  const host = await openHost(context, dev);
  const sandbox = await host.page.locator('#widget').getAttribute('sandbox');
  assert.equal(sandbox, 'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox');
  const reload = (words) => host.page.locator('#widget').evaluate((frame, value) => {
    frame.setAttribute('sandbox', value);
    frame.src = frame.getAttribute('src');
  }, words);
  await reload('allow-scripts allow-same-origin');
  await host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).click();
  await stands(host, 'Your browser blocked the window');

  await reload(sandbox);
  const [popup] = await Promise.all([host.page.waitForEvent('popup'), host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).click()]);
  await popup.waitForURL(/\/v1\/connect\//);
  assert.equal(await popup.evaluate(() => window.origin), dev.baseUrl, 'the window is free of the sandbox');
  await pressContinue(popup);
  await pressAllow(popup);
  await stands(host, 'Ada Lovelace');
  await context.close();
});
