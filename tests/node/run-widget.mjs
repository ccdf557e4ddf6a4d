// Runs a widget's own JavaScript as a host would: with a `window.appspace.widgetApi` that calls Consulate, and as much of a document
// as a list needs.
//
// May touch: standard input and output, and the address it is told. Source: the Appspace passport guide, "Making Authenticated API
// Calls" (what `callAuthenticatedAPI` answers).
//
// Standard input, one JSON document: {"code":"…","apis":"http://127.0.0.1:PORT/v1/widgets/ID/apis","jwt":"…"}
// Standard output, one JSON document: {"logged":[["…"]],"items":["…"],"statuses":[200]}: the arguments of every console.log, the
// text of every list item, the status of every call. Code that throws ends the process with status 1.

import { text } from 'node:stream/consumers';
import process from 'node:process';
import vm from 'node:vm';

const { code, apis, jwt } = JSON.parse(await text(process.stdin));
const produced = { logged: [], items: [], statuses: [] };

async function callAuthenticatedAPI(name, { params }) {
  const response = await fetch(`${apis}/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
    body: JSON.stringify({ params }),
  });
  produced.statuses.push(response.status);
  return { status: response.status, statusText: response.statusText, data: await response.json() };
}

const list = { append: (item) => produced.items.push(item.textContent) };
const world = {
  window: { appspace: { widgetApi: { callAuthenticatedAPI } } },
  document: { createElement: () => ({}), getElementById: () => list },
  console: { log: (...values) => produced.logged.push(values) },
};

// The guide's code awaits at its top level. Whatever it does not await ends before the process does.
await vm.runInNewContext(`(async () => {\n${code}\n})()`, world);
process.on('beforeExit', () => {
  process.stdout.write(`${JSON.stringify(produced)}\n`);
  process.exit();
});
