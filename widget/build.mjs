// Builds the client: `dist/consulate.js`, an ES module, `dist/consulate.classic.js`, a script that brings the global
// `Consulate`, and `dist/consulate.credentials.js`, the form for typed credentials. All are checked in, because the server embeds them and is built without node; a test builds them again and compares.
//
// May touch: `dist`, or the folder named as first argument.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

// The style sheet is a template literal, which a minifier of JavaScript leaves as it is. Backticks in comments are none.
const squeezedStyle = {
  name: 'squeezed-style',
  setup({ onLoad }) {
    onLoad({ filter: /style\.ts$/ }, async ({ path: file }) => ({
      contents: (await readFile(file, 'utf8')).replace(/= `([^`]+)`/, (_, css) => '= ' + JSON.stringify(css.replace(/\s+/g, ' ').replace(/ ?([{};:,]) ?/g, '$1').replaceAll(';}', '}').trim())),
      loader: 'ts',
    }));
  },
};

/** Builds all files into `folder`. */
export async function buildInto(folder) {
  const built = async (entry, name, options) => {
    const { outputFiles: [{ text }] } = await build({
      absWorkingDir: ROOT,
      entryPoints: [`src/${entry}.ts`],
      bundle: true,
      minify: true,
      charset: 'utf8',
      target: 'es2022',
      legalComments: 'none',
      plugins: [squeezedStyle],
      write: false,
      ...options,
    });
    // Once more by another minifier: a fortieth less, and the module has to stay below its limit.
    const { code } = await minify(text, { ecma: 2022, module: options.format === 'esm', compress: { passes: 3, hoist_funs: true, hoist_props: false }, format: { preamble: '/*! Consulate, Apache-2.0 */' } });
    await writeFile(path.join(folder, name), `${code}\n`);
  };
  await built('index', 'consulate.js', { format: 'esm' });
  await built('index', 'consulate.classic.js', { format: 'iife', globalName: 'Consulate' });
  await built('credentials', 'consulate.credentials.js', { format: 'esm' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildInto(process.argv[2] ?? path.join(ROOT, 'dist'));
}
