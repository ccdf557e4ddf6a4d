// The real `consulate dev`, built and started for one file of browser tests, and its widget API as a test asks it directly.
//
// May touch: cargo's target folder (an incremental build, unless CONSULATE_BIN names the binary: a stale one would test
// yesterday's code), a data folder of its own under the temporary directory, loopback. Ends the process it started, by its handle.

import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Cargo's target folder. */
export const TARGET = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
/** How long a server may take to leave once it is asked to. */
const LEAVES_MS = 20_000;
const CONNECTION = '/v1/widgets/demo/connections/acme';

/** Builds and starts a server on a free port and an empty data folder, with further `words` of the command. The caller stops it. */
export async function startDev(...words) {
  const binary = process.env.CONSULATE_BIN ?? build();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'consulate-browser-'));
  const child = spawn(binary, ['dev', '--port', '0', '--data-dir', dataDir, ...words], {
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  // The runner ends a file that takes too long this way; without a handler there is no `exit`.
  process.once('SIGTERM', () => process.exit(1));
  const over = new Promise((resolve) => { child.once('close', resolve); });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
  const { ready, demo } = await addresses(child, () => said, !words.includes('--no-demo'));
  const hostPage = demo && await (await fetch(demo)).text();
  const widgetOrigin = hostPage && /data-widget-origin="([^"]+)"/.exec(hostPage)[1];

  return new Dev({ baseUrl: ready, demo, widgetOrigin, dataDir, binary }, async () => {
    child.kill('SIGTERM');
    const late = setTimeout(killed, LEAVES_MS);
    const status = await over;
    clearTimeout(late);
    process.off('exit', killed);
    await rm(dataDir, { recursive: true, force: true });
    if (status !== 0) throw new Error(`consulate dev ended with ${status ?? 'SIGKILL: it would not leave'}: ${said}`);
  });
}

function build() {
  const built = spawnSync('cargo', ['build', '--quiet', '--locked', '--package', 'consulate'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (built.status !== 0) throw new Error('`cargo build --package consulate` failed');
  return path.join(TARGET, 'debug', 'consulate');
}

/** `ready` and, where there is a demo, `demo`, as the lines on standard output say. */
function addresses(child, said, hasDemo) {
  const found = {};
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => reject(new Error(`consulate dev ended with ${status}: ${said()}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, word, address] = /^(ready|demo) (http:\/\/(?:127\.0\.0\.1|localhost):\d+\/?)$/.exec(line) ?? [];
      if (word) found[word] = address;
      if (found.ready && (found.demo || !hasDemo)) resolve(found);
    });
  });
}

/** A running server. Users are the demo's `ada` and `grace`. */
class Dev {
  constructor({ baseUrl, demo, widgetOrigin, dataDir, binary }, stop) {
    /** Where Consulate is. */
    this.baseUrl = baseUrl;
    /** The host page's address, and its origin. */
    this.hostPage = demo;
    this.hostOrigin = demo?.replace(/\/$/, '');
    /** The widgets' origin. */
    this.widgetOrigin = widgetOrigin;
    this.stop = stop;
    this.dataDir = dataDir;
    this.binary = binary;
  }

  /** One of the data folder's JSON files. */
  async file(name) {
    return JSON.parse(await readFile(path.join(this.dataDir, name), 'utf8'));
  }

  /** The operator's command at this server: what it prints. `{input}`, for its standard input, may come first. */
  async consulate(...words) {
    const [{ input }, rest] = typeof words[0] === 'object' ? [words[0], words.slice(1)] : [{}, words];
    const ran = promisify(execFile)(this.binary, [...rest, '--dev', this.dataDir]);
    ran.child.stdin.end(input);
    return (await ran).stdout.trim();
  }

  /** The same, answering in JSON. */
  async command(...words) {
    return JSON.parse(await this.consulate(...words, '--json'));
  }

  /** What the host page hands its widget. */
  async callerJwt(user) {
    const answer = await fetch(`${this.hostOrigin}/demo/caller-jwt`, {
      method: 'POST',
      headers: { origin: this.hostOrigin, 'content-type': 'application/json' },
      body: JSON.stringify({ user }),
    });
    return (await answer.json()).jwt;
  }

  /** A caller JWT for any widget, as the operator's command signs it. */
  jwtOf(widget, user) {
    return this.consulate('token', '--widget', widget, '--user', user, '--organisation', 'acme', '--email', `${user}@acme.example`);
  }

  /** A widget API call as `user`: the answer's JSON. */
  async ask(user, method, address, body) {
    const answer = await fetch(this.baseUrl + address, {
      method,
      headers: { authorization: `Bearer ${await this.callerJwt(user)}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${address} answered ${answer.status}: ${json.detail}`);
    return json;
  }

  /** The connection's status, as a word. */
  async status(user) {
    return (await this.ask(user, 'GET', CONNECTION)).status;
  }

  /** A connect link as a popup would get it. */
  async connectLink(user) {
    return (await this.ask(user, 'POST', `${CONNECTION}/connect`, { mode: 'popup' })).connect_url;
  }

  /** Nobody has a connection: how every test begins. */
  async disconnectAll() {
    for (const user of ['ada', 'grace']) await this.ask(user, 'DELETE', CONNECTION);
  }
}
