// A page of somebody else: another site by every rule of the browser, and free to run any script.
//
// May touch: one loopback port. Chromium resolves every name under `localhost` to loopback itself.

import { createServer } from 'node:http';
import { once } from 'node:events';

/** Serves one page with `script` in it; answers its address. `stop` ends it. */
export async function serveForeign() {
  let script = '';
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Foreign</title><body><script>${script}</script>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://foreign.localhost:${server.address().port}/`,
    /** A new tab of `context` at a page that runs `code` (a function without closure) with `argument` when it loads. */
    async open(context, code, argument) {
      script = `(${code})(${JSON.stringify(argument ?? null).replaceAll('<', '\\u003c')})`;
      const page = await context.newPage();
      await page.goto(this.address);
      return page;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
