// The administrator's console as an administrator uses it: sign in by the link, bind, connect, try an API, disconnect, sign out.
//
// May touch: its own server and browser, `target/browser`.

import assert from 'node:assert/strict';
import path from 'node:path';
import { looked } from './console.mjs';
import { PATIENCE } from './demo.mjs';
import { test, withDev } from './runner.mjs';
import { ROOT, startDev } from './server.mjs';
import { watch } from './watch.mjs';

let dev;
let browser;

withDev((opened) => ({ dev, browser } = opened));

test('an administrator signs in by the link, binds, connects, tries an API, disconnects and signs out', async () => {
  await dev.command('passports', 'add', 'microsoft-365', '--provider', 'microsoft', '--client-id', 'our-client');
  await dev.command('import', path.join(ROOT, 'tests/fixtures/bundles/graph-calendar'));
  const { url } = await dev.command('console', '--name', 'Ada Lovelace');
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(PATIENCE);
  const seen = await watch(context);
  const page = await context.newPage();

  await page.goto(url);
  assert.equal(page.url(), `${dev.baseUrl}/console/sign-in`, 'the ticket has left the address');
  await looked(page, 'sign-in');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Widgets', level: 1 }).waitFor();
  await looked(page, 'widgets');

  await page.getByRole('link', { name: 'Calendar', exact: true }).click();
  await page.getByLabel('Passport').selectOption('microsoft-365');
  await page.getByRole('button', { name: 'Use this passport' }).click();
  await page.getByText('The passport is in use.').waitFor();
  await page.getByText('Choose for whom you act').waitFor();
  await looked(page, 'bound');

  await page.getByRole('link', { name: 'Widgets' }).first().click();
  await page.getByRole('link', { name: 'Acme Cloud calendar' }).click();
  await page.getByLabel('Organisation id').fill('acme');
  await page.getByLabel('User id').fill('ada');
  await page.getByRole('button', { name: 'Act for them' }).click();
  // The demo's other authentication uses the same passport: what happens to one card happens to both.
  const account = page.locator('#acme');
  await account.getByText('Not connected').waitFor();
  await account.getByRole('button', { name: 'Connect Acme Cloud' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('The account is connected.').waitFor();
  assert.equal(page.url(), `${dev.baseUrl}/console/widgets/demo`, 'the news has left the address');
  await account.getByRole('button', { name: 'Reconnect' }).waitFor();
  await looked(page, 'connected');

  await page.getByRole('link', { name: 'Try it listEvents' }).click();
  await page.getByRole('button', { name: 'Call the API' }).click();
  await page.getByText('The API answered 200').waitFor();
  await looked(page, 'try');

  for (const section of ['Passports', 'Health', 'Activity']) {
    await page.getByRole('link', { name: section, exact: true }).click();
    await page.getByRole('heading', { name: section, level: 1 }).waitFor();
    await looked(page, section.toLowerCase());
  }

  await page.goto(`${dev.baseUrl}/console/widgets/demo`);
  page.once('dialog', (dialog) => dialog.dismiss());
  await account.getByRole('button', { name: 'Disconnect' }).click();
  await account.getByRole('button', { name: 'Reconnect' }).waitFor();
  page.once('dialog', (dialog) => dialog.accept());
  await account.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText('The provider confirmed that the grant is revoked.').first().waitFor();
  await looked(page, 'disconnected');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
  await context.close();
});

test('a link that another browser has used signs nobody in', async () => {
  const { url } = await dev.command('console');
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  const [first, second] = await Promise.all(contexts.map((context) => context.newPage()));
  for (const page of [first, second]) await page.goto(url);
  await first.getByRole('button', { name: 'Sign in' }).click();
  await first.getByRole('heading', { name: 'Widgets', level: 1 }).waitFor();
  await second.getByRole('button', { name: 'Sign in' }).click();
  await second.getByText('This link was used already').waitFor();
  await second.goto(`${dev.baseUrl}/console`);
  await second.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  for (const context of contexts) await context.close();
});
