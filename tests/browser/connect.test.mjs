// The ways a connect can go besides the straight one: by redirect, refused, blocked, closed, twice at once, with ties and cookies cut.
//
// Every test has a profile of its own and begins with nobody connected. May touch: its own server and browsers, `target/browser`.

import assert from 'node:assert/strict';
import { accessible } from './axe.mjs';
import { launch } from './chromium.mjs';
import { connect, disconnect, openHost, picture, pressAllow, pressConnect, pressContinue, pressLast, says, showsWhole, stands, tells } from './demo.mjs';
import { afterEach, beforeEach, test, withDev } from './runner.mjs';
import { watch } from './watch.mjs';

let dev;
let browser;
let context;
let seen;

withDev((opened) => ({ dev, browser } = opened));

beforeEach(async () => {
  await dev.disconnectAll();
  context = await browser.newContext();
  seen = await watch(context);
});

afterEach(async () => {
  await context.close();
});

/** Presses Connect with redirect mode chosen; answers the tab that opens. */
async function connectByRedirect(host) {
  await host.widget.getByRole('checkbox', { name: /by redirect/ }).check();
  const [tab] = await Promise.all([
    host.page.waitForEvent('popup'),
    host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).click(),
  ]);
  return tab;
}

test('by redirect: a tab goes to the provider and comes back to the widget, which completes', async () => {
  const host = await openHost(context, dev);
  const tab = await connectByRedirect(host);
  await tab.getByRole('button', { name: 'Allow' }).click();
  await tab.getByText('Ada Lovelace is connected.').waitFor();
  assert.equal(tab.url(), `${dev.widgetOrigin}/demo/widget/connected`, 'the completion has left the address');
  await stands(host, /^Connected$/);
  await accessible(tab, 'redirect-connected');
  await stands(host, 'Ada Lovelace');
  await tells(host, 'The connection was completed');
  await picture(tab, 'redirect-connected');
  await pressLast(tab, 'Close this tab');
  assert.equal(await dev.status('ada'), 'connected');
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
});

test('by redirect, refused at the provider: the tab and the widget say so', async () => {
  const host = await openHost(context, dev);
  const tab = await connectByRedirect(host);
  await tab.getByRole('button', { name: 'Deny' }).click();
  await tab.getByText('You said no at the provider, so nothing was connected.').waitFor();
  await host.widget.getByRole('alert').filter({ hasText: 'You said no: not connected' }).waitFor();
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
  await host.widget.getByRole('alert').filter({ hasText: 'You said no: not connected' }).waitFor();
  await stands(host, /Not connected|Disconnected/);
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
        const button = document.querySelector('consulate-connect')?.shadowRoot?.querySelector('[part=connect]');
        if (!button || button.hidden) return;
        clearInterval(press);
        button.click(); // a script's click is no person's
        console.info('pressed');
      }, 20);
    });
    // Whatever Playwright does in a page counts as a person's doing: it must not touch this one before the window is blocked.
    const page = await profile.newPage();
    await Promise.all([page.waitForEvent('console', (message) => message.text() === 'pressed'), page.goto(dev.hostPage)]);
    const host = { page, widget: page.frameLocator('#widget') };
    const link = host.widget.getByRole('link', { name: 'Open it here' });
    await link.waitFor();
    assert.equal(profile.pages().length, 1, 'no window opened by itself');
    await picture(host.page, 'demo-blocked');
    const [popup] = await Promise.all([host.page.waitForEvent('popup'), link.click()]);
    await pressContinue(popup);
    await pressAllow(popup);
    await stands(host, 'Ada Lovelace');
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
  const link = host.widget.getByRole('link', { name: 'Open it here' });
  const [popup] = await Promise.all([host.page.waitForEvent('popup'), link.click()]);
  await pressContinue(popup);
  await pressAllow(popup);
  await stands(host, 'Ada Lovelace');
});

test('the window is closed half way: the widget says so, and the next try works', async () => {
  const host = await openHost(context, dev);
  const popup = await pressConnect(host);
  await pressContinue(popup);
  await popup.close();
  await stands(host, 'The window is closed.');
  await showsWhole(host);
  await picture(host.page, 'demo-closed');
  await host.widget.getByRole('button', { name: 'Cancel' }).click();
  await connect(host);
  await stands(host, 'Ada Lovelace');
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
  for (const host of [first, second]) await stands(host, 'Ada Lovelace');
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
  await stands(host, 'Ada Lovelace');
  await picture(popup, 'connected');
});

test('with third-party cookies blocked everything works (S-70)', async () => {
  const strict = await launch({ more: ['--test-third-party-cookie-phaseout'] });
  try {
    const profile = await strict.newContext();
    // A cookie of Consulate's site that it gets in a window of its own, and would get from any page, were third-party cookies not blocked.
    await profile.addCookies([{ name: 'third', value: '1', domain: '127.0.0.1', path: '/', secure: true, sameSite: 'None' }]);
    const health = `${dev.baseUrl}/v1/health`;
    const alone = await profile.newPage();
    const cookie = async (page, ask) => {
      const [answer] = await Promise.all([page.waitForResponse(health), ask()]);
      return answer.request().headerValue('cookie');
    };
    assert.equal(await cookie(alone, () => alone.goto(health)), 'third=1');
    const host = await openHost(profile, dev);
    const frame = host.page.frames().find((one) => one.url().endsWith('/demo/widget'));
    const ask = (address) => fetch(address, { mode: 'no-cors', credentials: 'include' }).catch(() => {});
    assert.equal(await cookie(host.page, () => frame.evaluate(ask, health)), null, 'the browser does block them');

    await connect(host);
    await host.widget.getByRole('button', { name: 'Call the API' }).click();
    await says(host, '#result', 'listEvents answered 200');
    await disconnect(host);
    await says(host, '#notice', 'Acme Cloud confirmed that the grant is revoked.');
  } finally {
    await strict.close();
  }
});
