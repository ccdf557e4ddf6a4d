// The package as it would be published, and the built files as they are checked in.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { buildInto } from '../build.mjs';
import * as client from '../dist/consulate.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = ['consulate.js', 'consulate.classic.js', 'consulate.credentials.js'];
const read = (name) => readFile(path.join(ROOT, name), 'utf8');

test('the files in dist are what the sources build, byte for byte', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'consulate-widget-'));
  t.after(() => rm(folder, { recursive: true }));
  await buildInto(folder);
  for (const name of BUILT) {
    const [anew, kept] = await Promise.all([readFile(path.join(folder, name)), readFile(path.join(ROOT, 'dist', name))]);
    assert.ok(anew.equals(kept), `dist/${name} is not what src builds: npm run build`);
  }
});

test('the module is under 6 KB gzipped', async (t) => {
  const bytes = gzipSync(await read('dist/consulate.js'), { level: 9 }).length;
  t.diagnostic(`${bytes} bytes`);
  // By both meanings of the word.
  assert.ok(bytes < 6_000, `${bytes} bytes`);
});

test('the form for typed credentials is a file of its own, and small', async () => {
  const form = await read('dist/consulate.credentials.js');
  assert.ok(gzipSync(form, { level: 9 }).length < 2 * 1024);
  assert.deepEqual(Object.keys(await import('../dist/consulate.credentials.js')), ['credentialForm']);
  assert.ok(!form.includes('import'), 'it loads nothing');
});

test('the classic script brings the same as one global', async () => {
  const world = vm.createContext({});
  vm.runInContext(await read('dist/consulate.classic.js'), world);
  assert.deepEqual(Object.keys(world.Consulate).sort(), Object.keys(client).sort());
  assert.deepEqual(Object.keys(client).sort(), ['ConsulateError', 'createConsulate', 'defineConnectElement', 'fromHappeo', 'installAppspaceShim']);
});

test('nothing is stored, and no text becomes HTML, style or code', async () => {
  for (const name of BUILT) {
    const text = await read(`dist/${name}`);
    for (const word of ['localStorage', 'sessionStorage', 'indexedDB', 'document.cookie', 'innerHTML', 'outerHTML', 'insertAdjacentHTML', 'eval(', 'new Function', '.style.', '"style"', 'console.']) {
      assert.ok(!text.includes(word), `${name}: ${word}`);
    }
  }
});

test('on a server, where there is no page, loading and defining do nothing', () => {
  assert.equal(client.defineConnectElement({ consulate: {} }), undefined);
});

test('the package is what it says, and needs nothing', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT });
  const [{ files }] = JSON.parse(stdout);
  const packed = files.map((file) => file.path).filter((name) => !name.startsWith('dist/types/')).sort();
  assert.deepEqual(packed, ['README.md', 'dist/consulate.classic.js', 'dist/consulate.credentials.js', 'dist/consulate.js', 'package.json']);
  const manifest = JSON.parse(await read('package.json'));
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.sideEffects, false);
  assert.match(await read('../Cargo.toml'), new RegExp(`^version = "${manifest.version}"$`, 'm'));
});
