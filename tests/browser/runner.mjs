// Node's test runner, with an end to everything: what hangs fails with its name instead of holding the whole run.
//
// Playwright's waits end by themselves; `evaluate`, a promise of a page's own and a child process that does not leave do not.

import * as node from 'node:test';
import { launch } from './chromium.mjs';
import { startDev } from './server.mjs';

/** The longest a test waits is for the demo's token to expire, which takes a minute and a bit. */
const TEST = { timeout: 150_000 };
/** Starting or stopping a server and a browser on a machine that has other things to do. */
const ROOM = { timeout: 90_000 };

export const test = (name, run) => node.test(name, TEST, run);
export const before = (run) => node.before(run, ROOM);
export const after = (run) => node.after(run, ROOM);
export const beforeEach = (run) => node.beforeEach(run, ROOM);
export const afterEach = (run) => node.afterEach(run, ROOM);

/** A real server, with further `words` of its command, and a browser for one file of tests: there before the first, gone after the last. */
export function withDev(opened, ...words) {
  const room = {};
  before(async () => {
    room.dev = await startDev(...words);
    room.browser = await launch();
    opened(room);
  });
  after(async () => {
    await room.browser?.close();
    await room.dev?.stop();
  });
}
