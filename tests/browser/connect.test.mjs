// The ways a connect can go besides the straight one: by redirect, refused, blocked, closed, twice at once, with ties and cookies cut.
//
// Every test has a profile of its own and begins with nobody connected. May touch: its own server and browsers, `target/browser`.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch } from './chromium.mjs';
import { connect, openHost, picture, pressAllow, pressConnect, pressContinue, pressLast, says, showsWhole, tells } from './demo.mjs';
import { startDev } from './server.mjs';
import { watch } from './watch.mjs';

let dev;
let browser;
let context;
let seen;

before(async () => {
  dev = await startDev();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

beforeEach(async () => {
  await dev.disconnectAll();
  context = await browser.newContext();
  seen = await watch(context);
});

afterEach(async () => {
  await context.close();
});

test('by redirect: a tab goes to the provider and comes back to the widget, which completes', async () => {
  const host = await openHost(context, dev);
  const [tab] = await Promise.all([
    host.page.waitForEvent('popup'),
    host.widget.getByRole('button', { name: 'Connect by redirect' }).click(),
  ]);
  await tab.getByRole('button', { name: 'Allow' }).click();
  await tab.getByText('Ada Lovelace is connected.').waitFor();
  assert.equal(tab.url(), `${dev.widgetOrigin}/demo/widget/connected`, 'the completion has left the address');
  await says(host, '#pill', 'Connected');
  await says(host, '#account-name', 'Ada Lovelace');
  await tells(host, 'The connection was completed');
  await picture(tab, 'redirect-connected');
  await pressLast(tab, 'Close this tab');
  assert.equal(await dev.status('ada'), 'connected');
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
});

test('by redirect, refused at the provider: the tab and the widget say so', async () => {
  const host = await openHost(context, dev);
  const [tab] = await Promise.all([
    host.page.waitForEvent('popup'),
    host.widget.getByRole('button', { name: 'Connect by redirect' }).click(),
  ]);
  await tab.getByRole('button', { name: 'Deny' }).click();
  await tab.getByText('You said no at the provider, so nothing was connected.').waitFor();
  await says(host, '#notice', 'You said no at Acme Cloud, so nothing was connected.');
  await picture(tab, 'redirect-refused');
  assert.notEqual(await dev.status('ada'), 'connected');
});

test('refused at the provider: window and widget say so in plain words, and nothing is connected', async () => {
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await pressContinue(popup);
  await popup.getByRole('button', { name: 'Deny' }).click();
  await popup.getByRole('heading', { name: 'The account was not connected' }).waitFor();
  await popup.getByText('The provider was told not to give access.').waitFor();
  await says(host, '#notice', 'You said no at Acme Cloud, so nothing was connected.');
  await says(host, '#pill', /Not connected|Disconnected/);
  await tells(host, 'Nothing was connected (access denied)');
  await picture(popup, 'refused');
  await picture(host.page, 'demo-refused');
  await pressLast(popup, 'Close this window');
  assert.notEqual(await dev.status('ada'), 'connected');
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
});

test('the window is blocked: a visible link opens it, and the rest is as ever', async () => {
  // Playwright lets every window through; without that flag Chromium blocks those that no click asked for, as at home.
  const strict = await launch({ without: ['--disable-popup-blocking'] });
  try {
    const profile = await strict.newContext();
    await profile.addInitScript(() => {
      if (location.pathname !== '/demo/widget') return;
      const press = setInterval(() => {
        const button = document.getElementById('connect');
        if (!button || button.hidden) return;
        clearInterval(press);
        button.click(); // a script's click is no person's
        console.info('pressed');
      }, 20);
    });
    // Whatever Playwright does in a page counts as a person's doing: it must not touch this one before the window is blocked.
    const page = await profile.newPage();
    await Promise.all([page.waitForEvent('console', (message) => message.text() === 'pressed'), page.goto(`${dev.baseUrl}/`)]);
    const host = { page, widget: page.frameLocator('#widget') };
    const link = host.widget.getByRole('link', { name: 'Open the connect window' });
    await link.waitFor();
    assert.equal(profile.pages().length, 1, 'no window opened by itself');
    await picture(host.page, 'demo-blocked');
    const [popup] = await Promise.all([host.page.waitForEvent('popup'), link.click()]);
    await pressContinue(popup);
    await pressAllow(popup);
    await says(host, '#account-name', 'Ada Lovelace');
  } finally {
    await strict.close();
  }
});

test('even where a click may open no window, the link itself opens one', async () => {
  await context.addInitScript(() => {
    if (location.pathname === '/demo/widget') window.open = () => null;
  });
  const host = await openHost(context, dev);
  await host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).click();
  const link = host.widget.getByRole('link', { name: 'Open the connect window' });
  const [popup] = await Promise.all([host.page.waitForEvent('popup'), link.click()]);
  await pressContinue(popup);
  await pressAllow(popup);
  await says(host, '#account-name', 'Ada Lovelace');
});

test('the window is closed half way: the widget says so, and the next try works', async () => {
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await pressContinue(popup);
  await popup.close();
  await says(host, '#notice', 'The window is closed.');
  await showsWhole(host);
  await picture(host.page, 'demo-closed');
  await connect(host);
  await says(host, '#account-name', 'Ada Lovelace');
});

test('two tabs at once, their steps crossed: both windows come to their end', async () => {
  const first = await openHost(context, dev);
  const second = await openHost(context, dev);
  const popups = [await pressConnect(first), await pressConnect(second)];
  const ends = popups.map((popup) => popup.waitForRequest(/\/v1\/connected\?status=connected/));
  for (const popup of popups) await pressContinue(popup);
  await pressAllow(popups[1]);
  await pressAllow(popups[0]);
  await Promise.all(ends);
  for (const host of [first, second]) await says(host, '#account-name', 'Ada Lovelace');
  await first.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(first, '#result', 'listEvents answered 200');
});

test('the tie to the window is cut on the way: the window says what to do, and the widget learns by asking', async () => {
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await pressContinue(popup);
  await popup.evaluate(() => { window.opener = null; }); // what Cross-Origin-Opener-Policy at a provider does
  await popup.getByRole('button', { name: 'Allow' }).click();
  await popup.getByRole('heading', { name: 'Your account is connected' }).waitFor();
  await popup.getByText('You can close this window').waitFor();
  assert.equal(await popup.getByRole('button').count(), 0, 'no button that could not work');
  assert.doesNotMatch(popup.url(), /code=|state=/);
  await says(host, '#account-name', 'Ada Lovelace');
  await picture(popup, 'connected');
});

test('with third-party cookies blocked everything works (S-70)', async () => {
  const strict = await launch({ more: ['--test-third-party-cookie-phaseout'] });
  try {
    const profile = await strict.newContext();
    // A cookie of the widget's site that any embedded page would get, were third-party cookies not blocked.
    await profile.addCookies([{ name: 'third', value: '1', domain: 'localhost', path: '/', secure: true, sameSite: 'None' }]);
    const cookies = [];
    profile.on('response', (response) => {
      if (response.url().endsWith('/demo/widget')) cookies.push(response.request().headerValue('cookie'));
    });
    const alone = await profile.newPage();
    await alone.goto(`${dev.widgetOrigin}/demo/widget`);
    const host = await openHost(profile, dev);
    assert.deepEqual(await Promise.all(cookies), ['third=1', null], 'the browser does block them');

    await connect(host);
    await host.widget.getByRole('button', { name: 'Call the API' }).click();
    await says(host, '#result', 'listEvents answered 200');
    await host.widget.getByRole('button', { name: 'Disconnect' }).click();
    await says(host, '#notice', 'Acme Cloud confirmed that the grant is revoked.');
  } finally {
    await strict.close();
  }
});
