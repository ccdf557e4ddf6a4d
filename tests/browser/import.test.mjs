// The console where widgets and passports come from: two bundles uploaded, one of them dropped; what widens trust agreed to; a
// passport made; an account of the imported widget connected, its API tried, disconnected. Narrow, too, and with long names.
//
// May touch: its own server, simulated Microsoft included, and browser; `target/browser`; a temporary folder.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launch } from './chromium.mjs';
import { looked, signedIn } from './console.mjs';
import { after, before, test } from './runner.mjs';
import { ROOT, startDev } from './server.mjs';
import { watch } from './watch.mjs';

const BUNDLES = path.join(ROOT, 'tests/fixtures/bundles');

let dev;
let browser;
let folder;

before(async () => {
  dev = await startDev('--no-demo', '--simulate', 'microsoft');
  browser = await launch();
  folder = await mkdtemp(path.join(tmpdir(), 'consulate-bundles-'));
});

after(async () => {
  await browser?.close();
  await dev?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A bundle as an administrator has it: the packed ZIP, and the `consulate.json` that belongs to it. */
async function packed(name) {
  const archive = path.join(folder, `${name}.zip`);
  await dev.command('pack', path.join(BUNDLES, name), '--output', archive);
  return { archive, settings: path.join(BUNDLES, name, 'consulate.json') };
}

/** Drops files on the field, as a file manager would. */
async function drop(page, files) {
  const contents = await Promise.all(files.map(async (file) => [path.basename(file), (await readFile(file)).toString('base64')]));
  const transfer = await page.evaluateHandle((all) => {
    const data = new DataTransfer();
    for (const [name, base64] of all) {
      data.items.add(new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], name));
    }
    return data;
  }, contents);
  const field = page.locator('.drop');
  await field.dispatchEvent('dragenter', { dataTransfer: transfer });
  await page.locator('.drop.over').waitFor();
  await field.dispatchEvent('drop', { dataTransfer: transfer });
  await page.locator('.drop:not(.over)').waitFor();
}

test('two bundles are uploaded, bound, connected, tried and disconnected', async () => {
  const { context, page, set: seen } = await signedIn(browser, dev, watch);
  await looked(page, 'empty');
  await page.getByRole('link', { name: 'Passports', exact: true }).click();
  await page.getByRole('link', { name: 'Widgets' }).first().click();

  await page.getByRole('link', { name: 'Import a widget' }).click();
  await looked(page, 'import');
  const calendar = await packed('graph-calendar');
  await page.locator('input[type=file]').setInputFiles([calendar.archive, calendar.settings]);
  await page.getByRole('button', { name: 'Check the bundle' }).click();
  await page.getByRole('heading', { name: 'Import Calendar' }).waitFor();
  await looked(page, 'review');
  await page.getByLabel('Microsoft 365').selectOption('simulated-microsoft');
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('The widget is stored.').waitFor();
  await looked(page, 'imported');

  await page.goto(`${dev.baseUrl}/console/import`);
  const saas = await packed('my-saas');
  await drop(page, [saas.archive, saas.settings]);
  await page.getByRole('button', { name: 'Check the bundle' }).click();
  await page.getByText('The host “acme-happeo” is there already').waitFor();
  await looked(page, 'review-host');
  await page.getByLabel('Let this widget share the callers').check();
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByText('New widget').waitFor();
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('The widget is stored.').waitFor();
  await page.getByText('no client secret yet').waitFor();
  await page.getByRole('link', { name: 'Set the secret' }).click();
  const card = page.locator('section', { hasText: 'my-saas.my-saas-connector' });
  await card.getByLabel('Client secret').fill('a-client-secret-of-ours');
  await card.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The secret is stored.').waitFor();
  await page.goto(`${dev.baseUrl}/console/widgets/my-saas`);
  await page.getByLabel('Organisation id').fill('o1');
  await page.getByRole('button', { name: 'Act for them' }).click();
  await page.getByRole('button', { name: /^Connect / }).waitFor();
  await looked(page, 'bundled');

  await page.goto(`${dev.baseUrl}/console/widgets/calendar`);
  await page.getByLabel('Organisation id').fill('o1');
  await page.getByLabel('User id').fill('u7');
  await page.getByRole('button', { name: 'Act for them' }).click();
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('The account is connected.').waitFor();
  await page.getByRole('link', { name: 'Try it getEvents' }).click();
  await page.getByLabel('startDate').fill('2026-11-21T00:00:00Z');
  await page.getByLabel('endDate').fill('2026-11-28T00:00:00Z');
  await page.getByRole('button', { name: 'Call the API' }).click();
  await page.getByText('The API answered 200').waitFor();
  await looked(page, 'try-graph');
  await page.goto(`${dev.baseUrl}/console/widgets/calendar`);
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText('The account is disconnected').waitFor();
  await seen.settled();
  assert.deepEqual(seen.complaints, []);
  await context.close();
});

test('what widens trust is shown as a difference and imported only with consent', async () => {
  const { context, page } = await signedIn(browser, dev);
  const calendar = await packed('graph-calendar');
  const widened = path.join(folder, 'consulate.json');
  const settings = JSON.parse(await readFile(calendar.settings, 'utf8'));
  settings.origins.push('https://an-intranet-with-a-rather-long-name.subsidiary.example.com');
  settings.admins = [{ organisation: 'o1', email: 'it@example.com' }];
  await writeFile(widened, JSON.stringify(settings));
  await page.goto(`${dev.baseUrl}/console/import`);
  await page.locator('input[type=file]').setInputFiles([calendar.archive, widened]);
  await page.getByRole('button', { name: 'Check the bundle' }).click();
  await page.getByText('Needs your consent').waitFor();
  await looked(page, 'review-difference');
  // The browser insists on the box; a page without that does not import either.
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('Needs your consent').waitFor();
  await page.locator('input[name=accept]').evaluate((box) => box.removeAttribute('required'));
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('Nothing was imported').waitFor();
  await page.getByLabel('I have read these changes').check();
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('The widget is stored.').waitFor();
  await context.close();
});

test('what is no bundle is told in words, and a nameless one is named', async () => {
  const { context, page } = await signedIn(browser, dev);
  const broken = path.join(folder, 'broken.zip');
  await writeFile(broken, 'no archive');
  const upload = async (...files) => {
    await page.goto(`${dev.baseUrl}/console/import`);
    await page.locator('input[type=file]').setInputFiles(files);
    await page.getByRole('button', { name: 'Check the bundle' }).click();
  };
  await upload(broken);
  await page.getByText('cannot be read').waitFor();
  await looked(page, 'import-broken');
  const { archive } = await packed('happeo-channels');
  await upload(archive);
  await page.getByLabel('Widget id').fill('our-channels-with-a-very-long-name-that-nobody-will-ever-type');
  await looked(page, 'import-nameless');
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByRole('heading', { name: 'Import Happeo channels' }).waitFor();
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('The widget is stored.').waitFor();
  await looked(page, 'unbound');

  await page.getByRole('link', { name: 'Make one' }).click();
  await page.getByRole('heading', { name: 'New passport: Happeo' }).waitFor();
  await looked(page, 'passport-for');
  await page.getByLabel('Client id').fill('our-client');
  await page.getByLabel('Client secret').fill('a-client-secret-of-ours');
  await page.getByRole('button', { name: 'Make the passport' }).click();
  await page.getByText('The passport is stored and in use.').waitFor();
  await looked(page, 'passport-made');
  await context.close();
});

test('a passport is made from the catalogue, and the list of them reads well on a narrow window', async () => {
  const { context, page } = await signedIn(browser, dev);
  await page.getByRole('link', { name: 'Passports', exact: true }).click();
  await page.getByRole('link', { name: 'New passport' }).click();
  await looked(page, 'passport-choice');
  await page.getByLabel('Which provider?').selectOption('servicenow');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByLabel('Passport id').fill('our-service-desk');
  await page.getByText('/v1/callback/our-service-desk').waitFor();
  await page.getByLabel('Client id').fill('our-client');
  await page.getByLabel('Client secret').fill('a-client-secret-of-ours');
  await page.getByLabel('Instance').fill('not a host');
  await page.getByRole('button', { name: 'Make the passport' }).click();
  await page.getByText('is not what it should be').waitFor();
  await looked(page, 'passport-refused');
  assert.equal(await page.getByLabel('Client secret').inputValue(), '');
  await page.getByLabel('Instance').fill('acme.service-now.com');
  await page.getByRole('button', { name: 'Make the passport' }).click();
  await page.getByText('The passport is stored.').waitFor();
  await looked(page, 'passports-many');

  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, address] of [
    ['widgets', ''], ['widget', '/widgets/calendar'], ['passports', '/passports'], ['passport', '/passports/new?provider=servicenow'],
    ['import', '/import'], ['health', '/health'], ['activity', '/activity'],
  ]) {
    await page.goto(`${dev.baseUrl}/console${address}`);
    await looked(page, `narrow-${name}`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${name} is ${width} wide`);
  }
  await context.close();
});
