// The outside, as the functions see it: TLS for every host of the test, handed on in plain text to the servers that play them.
//
//     node outside.mjs CONFIG.json    {"key": path, "certificate": path, "hosts": {host: url}}
//
// Prints `ready PORT`.

import { readFileSync } from "node:fs";
import { request as forward } from "node:http";
import { createServer } from "node:https";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tls = { key: readFileSync(config.key), cert: readFileSync(config.certificate) };

const server = createServer(tls, (incoming, outgoing) => {
  const backend = config.hosts[incoming.headers.host];
  if (!backend) return outgoing.writeHead(421).end();
  const passed = forward(new URL(incoming.url, backend), { method: incoming.method, headers: { ...incoming.headers, host: new URL(backend).host } });
  passed.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  passed.on("error", () => outgoing.destroy());
  incoming.pipe(passed);
});
server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
