// The console as an administrator comes to it, and how its pages are looked at.
//
// May touch: the pages it is given, `target/browser`.

import { accessible } from './axe.mjs';
import { PATIENCE, picture } from './demo.mjs';

/** Looks at a page as it is: a picture in both colour schemes, and what axe has to say in both. */
export async function looked(page, name) {
  await picture(page, `console-${name}`);
  await accessible(page, name);
}

/** A fresh profile with `setUp` done to it, signed in to the console of `dev`. */
export async function signedIn(browser, dev, setUp = async () => {}) {
  const { url } = await dev.command('console', '--name', 'Ada Lovelace');
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(PATIENCE);
  const set = await setUp(context);
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Widgets', level: 1 }).waitFor();
  return { context, page, set };
}
