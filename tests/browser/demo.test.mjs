// What the demo's widgets keep on the server for a person and for everybody, and the token that browser delivery hands out.
//
// May touch: its own server and browser.

import assert from 'node:assert/strict';
import { connect, dashboardOf, disconnect, openHost, says, signIn, stands, tells } from './demo.mjs';
import { beforeEach, test, withDev } from './runner.mjs';

let dev;
let browser;
let context;

withDev((opened) => ({ dev, browser } = opened));

beforeEach(async () => {
  await context?.close();
  await dev.disconnectAll();
  context = await browser.newContext();
});

test('a preference is kept for each person, a headline for everybody, and only an administrator writes it', async () => {
  const host = await openHost(context, dev);
  const kept = host.widget.locator('#kept');
  await host.widget.getByLabel('Events to show').selectOption('1');
  await kept.filter({ hasText: 'Kept for you on the server.' }).waitFor();
  await tells(host, 'A setting was kept');
  await connect(host);
  await host.widget.getByRole('button', { name: 'Call the API' }).click();
  await says(host, '#result', 'listEvents answered 200');
  assert.equal(await host.widget.locator('.events li').count(), 1);

  const dashboard = dashboardOf(host);
  const write = async (text) => {
    const form = dashboard.getByLabel('Headline');
    if (!await form.isVisible()) await dashboard.getByText('Change the headline for everybody').click();
    await form.fill(text);
    await dashboard.getByRole('button', { name: 'Save' }).click();
  };
  await write('Sales, by Ada');
  await dashboard.getByText('Everybody at Acme reads this headline now.').waitFor();
  await host.page.reload();
  await host.widget.locator('#kept').filter({ hasText: 'Kept for you' }).waitFor();
  assert.equal(await host.widget.getByLabel('Events to show').inputValue(), '1', 'it survives a reload');

  await signIn(host, 'Grace');
  await kept.filter({ hasText: 'Not chosen yet.' }).waitFor();
  assert.equal(await host.widget.getByLabel('Events to show').inputValue(), '3', 'what Ada prefers is hers');
  await dashboard.getByRole('heading', { name: 'Sales, by Ada' }).waitFor();
  await write('Sales, by Grace');
  await dashboard.getByText('Only an administrator of Acme can change what everybody reads.').waitFor();
});

test('browser delivery hands out the access token, the browser calls with it, and a disconnect forgets it', async () => {
  const host = await openHost(context, dev);
  await connect(host);
  await host.widget.getByText('Another way: the access token in the browser').click();
  await host.widget.getByRole('button', { name: 'Ask for the token and call' }).click();
  await says(host, '#held', 'Acme Cloud answered 200, straight to this browser');
  await says(host, '#held', 'ada@acme.example');
  await tells(host, 'Handed to the widget: its bundle and its passport allow that');
  const held = await host.widget.locator('#held pre').textContent();
  assert.deepEqual(Object.keys(JSON.parse(held)).sort(), ['access_token', 'expires_at', 'token_type']);
  await disconnect(host);
  await stands(host, 'Disconnected');
  await host.widget.locator('#held').filter({ hasNotText: 'Acme Cloud answered' }).waitFor({ state: 'attached' });
});
