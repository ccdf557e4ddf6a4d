// axe-core over a page and the frames in it: what it finds serious or critical, in light and dark.
//
// May touch: the pages it is given. The script goes in over the debugging protocol, which no page's policy stops.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(new URL('../node/package.json', import.meta.url)).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails with everything serious that is found; `name` says on which page. */
export async function accessible(page, name) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    for (const frame of page.frames()) {
      await frame.evaluate(source);
      const { violations, passes } = await frame.evaluate(() => axe.run(document, { iframes: false, resultTypes: ['violations'] }));
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const found = serious.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`));
      assert.deepEqual(found, [], `${name}, ${colorScheme}, ${new URL(frame.url()).pathname}`);
      assert.ok(passes.length > 5, `${name}: axe looked at the page`);
    }
  }
}
