// Starts the Chromium that is on this machine, for the browser tests: playwright-core drives it and downloads none of its own.
//
// May touch: loopback pages only; every flag below silences something Chromium would otherwise ask of the network.
// CHROMIUM names the binary (`cargo verify` sets it), else /usr/bin/chromium. A fresh profile every time.

import { createRequire } from 'node:module';
import process from 'node:process';

// The packages live beside their lock file in tests/node, which is on no import path of this folder.
const { chromium } = createRequire(new URL('../node/package.json', import.meta.url))('playwright-core');

const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
];

/**
 * Launches a browser; the caller closes it. `more` are further flags, `without` are those of Playwright's own flags to leave out.
 * `chromiumSandbox` is off because CI runs as root, where the sandbox cannot start.
 */
export function launch({ more = [], without = [] } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    chromiumSandbox: false,
    args: [...QUIET, ...more],
    ignoreDefaultArgs: without,
  });
}
