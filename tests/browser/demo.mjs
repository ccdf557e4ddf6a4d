// The demo as a person uses it: the host page, its widget, the connect window. Waits for what a person would wait for.
//
// May touch: the pages it is given, and pictures of them in `target/browser`, for eyes only: no test compares them.

import assert from 'node:assert/strict';
import path from 'node:path';
import { TARGET } from './server.mjs';

/** Slower than anything a page of ours may take, faster than a person gives up. */
export const PATIENCE = 10_000;

/** A fresh profile at `dev`, with a host page open and its widget ready. */
export async function openHost(context, dev) {
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(dev.hostPage);
  const host = { page, widget: page.frameLocator('#widget') };
  await stands(host, /connected/i);
  return host;
}

/** Waits until the widget's element says `text`. */
export function says(host, selector, text) {
  return host.widget.locator(selector).filter({ hasText: text }).waitFor();
}

/** Waits until the connect element says `text`: how the account stands, or whose it is. */
export function stands(host, text) {
  return host.widget.locator('consulate-connect').getByText(text).first().waitFor();
}

/** Presses Disconnect, and once more when asked. */
export async function disconnect(host) {
  const button = host.widget.getByRole('button', { name: 'Disconnect Acme Cloud' });
  await button.click();
  await stands(host, 'Disconnect Acme Cloud?');
  await button.click();
}

/** The frame of the dashboard. */
export const dashboardOf = (host) => host.page.frameLocator('#dashboard');

/** Waits until the frame is as high as what the widget has to say. */
export async function showsWhole(host) {
  const hidden = () => host.widget.locator('#content').evaluate((content) => content.getBoundingClientRect().height - innerHeight);
  const deadline = Date.now() + PATIENCE;
  for (let rest = await hidden(); rest > 0; rest = await hidden()) {
    assert.ok(Date.now() < deadline, `${rest} pixels of the widget stay hidden`);
    await host.page.waitForTimeout(50);
  }
}

/** Waits until the timeline tells `text`. */
export function tells(host, text) {
  return host.page.locator('#timeline').getByText(text).first().waitFor();
}

/** Presses Connect; answers the window, at the handshake page. */
export async function pressConnect(host) {
  const [popup] = await Promise.all([
    host.page.waitForEvent('popup'),
    host.widget.getByRole('button', { name: 'Connect Acme Cloud' }).click(),
  ]);
  await popup.waitForURL(/\/v1\/connect\//);
  return popup;
}

/** From the handshake page on to the consent page; Playwright waits for the button to work, as a person does. */
export async function pressContinue(popup) {
  await popup.getByRole('button', { name: 'Continue' }).click();
  await popup.getByRole('button', { name: 'Allow' }).waitFor();
}

/** Says yes at the provider, and waits until the window has closed itself. */
export async function pressAllow(popup) {
  await pressLast(popup, 'Allow');
}

/** Presses a button that leads to the end of its own window, and waits for that. */
export async function pressLast(page, name) {
  const closed = page.waitForEvent('close');
  const pressed = page.getByRole('button', { name }).click().catch((error) => {
    // The window may be gone before Playwright has seen the click through.
    if (!page.isClosed()) throw error;
  });
  await Promise.all([closed, pressed]);
}

/** The whole of it, in a popup. */
export async function connect(host) {
  const popup = await pressConnect(host);
  await pressContinue(popup);
  await pressAllow(popup);
  await stands(host, /^Connected$/);
}

/** Who is signed in to the intranet. */
export async function signIn(host, name) {
  await host.page.getByRole('radio', { name }).check();
  await host.page.locator('#jwt-state').filter({ hasText: `for ${name}` }).waitFor();
}

/** Pictures of a page, in both colour schemes: `target/browser/NAME-light.png` and `NAME-dark.png`. */
export async function picture(page, name) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(TARGET, 'browser', `${name}-${colorScheme}.png`), fullPage: true, animations: 'disabled' });
  }
}
