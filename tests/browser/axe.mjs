// axe-core over a page and the frames in it: what it finds serious or critical about how people with assistive technology get on
// there.
//
// May touch: the pages it is given. The script goes in over the debugging protocol, which no page's policy stops.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { source } = createRequire(new URL('../node/package.json', import.meta.url))('axe-core');

/** Findings of `page` as it is that are serious or worse, as text. */
async function serious(page) {
  const found = [];
  for (const frame of page.frames()) {
    await frame.evaluate(source);
    const { violations, passes } = await frame.evaluate(() => axe.run(document, { iframes: false, resultTypes: ['violations'] }));
    assert.ok(passes.length > 5, `axe looked at ${frame.url()}`);
    const bad = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    found.push(...bad.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`)));
  }
  return found;
}

/** Fails with everything serious that is found, dark and light; `name` says on which page. */
export async function accessible(page, name) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await serious(page), [], `${name}, ${colorScheme}`);
  }
}
