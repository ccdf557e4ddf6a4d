// axe-core in a page: what it finds serious about how people with assistive technology get on there.
//
// May touch: the page it is given. axe runs in a world of its own, which the page's policy for scripts does not reach.

import { createRequire } from 'node:module';

const { source } = createRequire(new URL('../node/package.json', import.meta.url))('axe-core');

/** Findings of `page` that are serious or worse, as text. */
export async function serious(page) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
  const run = async (expression) => {
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', { expression, contextId, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await run(`${source}; true`);
  const found = JSON.parse(await run('axe.run(document).then(({ violations }) => JSON.stringify(violations))'));
  await session.detach();
  return found
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`);
}
