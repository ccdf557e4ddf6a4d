// The test's own clock: `Date` and every timer of five seconds or more stand still until the test moves them on. Shorter timers are
// real, as are sockets: node's fetch keeps timers of a second of its own, which must not stop.
//
// May touch: the process's `Date` and `setTimeout`, until the test is over.

const FROM_MILLISECONDS = 5_000;

/** Stops the clock at `now`; `tick(milliseconds)` moves it and runs what is due, in order. */
export function stopClock(t, now) {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const waiting = new Set();
  t.mock.timers.enable({ apis: ['Date'], now });
  globalThis.setTimeout = (run, milliseconds, ...rest) => {
    if (!(milliseconds >= FROM_MILLISECONDS)) return real.setTimeout(run, milliseconds, ...rest);
    const timer = { run, due: Date.now() + milliseconds, unref: () => timer };
    waiting.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => (waiting.delete(timer) ? undefined : real.clearTimeout(timer));
  t.after(() => Object.assign(globalThis, real));
  return {
    tick(milliseconds) {
      const until = Date.now() + milliseconds;
      for (;;) {
        const [next] = [...waiting].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due);
        if (!next) break;
        waiting.delete(next);
        t.mock.timers.setTime(next.due);
        next.run();
      }
      t.mock.timers.setTime(until);
    },
  };
}
