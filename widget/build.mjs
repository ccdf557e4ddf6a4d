// Builds the client: `dist/consulate.js`, an ES module, and `dist/consulate.classic.js`, a script that brings the global
// `Consulate`. Both are checked in, because the server embeds them and is built without node; a test builds them again and compares.
//
// May touch: `dist`, or the folder named as first argument.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

// The style sheet is a template literal, which a minifier of JavaScript leaves as it is.
const squeezedStyle = {
  name: 'squeezed-style',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]style\.ts$/ }, async ({ path: file }) => ({
      contents: (await readFile(file, 'utf8')).replace(/`([^`]+)`/, (_, css) => JSON.stringify(css.replace(/\s+/g, ' ').replace(/ ?([{};:,]) ?/g, '$1').trim())),
      loader: 'ts',
    }));
  },
};

/** Builds both files into `folder`. */
export async function buildInto(folder) {
  const shared = {
    absWorkingDir: ROOT,
    entryPoints: ['src/index.ts'],
    bundle: true,
    minify: true,
    charset: 'utf8',
    target: 'es2022',
    legalComments: 'none',
    banner: { js: '/*! Consulate, Apache-2.0 */' },
    plugins: [squeezedStyle],
  };
  await build({ ...shared, format: 'esm', outfile: path.join(folder, 'consulate.js') });
  await build({ ...shared, format: 'iife', globalName: 'Consulate', outfile: path.join(folder, 'consulate.classic.js') });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildInto(process.argv[2] ?? path.join(ROOT, 'dist'));
}
