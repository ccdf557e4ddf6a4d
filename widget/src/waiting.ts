/** Waiting that can be given up. Touches timers only. */

/** `promise`, unless the signal speaks first: then its reason. What the promise stands for goes on, as others may wait for it too. */
export function abortable<Value>(promise: Promise<Value>, signal?: AbortSignal): Promise<Value> {
  if (!signal) return promise;
  const aborted = new Promise<never>((_, reject) => {
    const give = () => reject(signal.reason);
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
  });
  return Promise.race([promise, aborted]);
}

/** Resolves after so many milliseconds. */
export const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  abortable(new Promise((resolve) => setTimeout(resolve, milliseconds)), signal);
