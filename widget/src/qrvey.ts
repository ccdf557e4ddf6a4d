/**
 * Qrvey security tokens: kept in memory until `refresh_after`, asked for once however many widgets wait, renewed for those who
 * want to hear of it. Qrvey has no renewal in place: who hears builds the Qrvey widget again.
 */

import type { ConsulateError } from "./error.js";
import type { Transport } from "./transport.js";
import type { Consulate, QrveyConfig } from "./types.js";
import { abortable } from "./waiting.js";

/** A clock that is off must not make this a loop. */
const SOONEST_MILLISECONDS = 5_000;
/** Just below a timer's longest, 2^31 - 1. */
const LATEST_MILLISECONDS = 2e9;
const AGAIN_MILLISECONDS = 15_000;

/** `qrveyConfig`, over a transport. */
export function qrvey({ ask }: Transport): Consulate["qrveyConfig"] {
  const held = new Map<string, { config?: QrveyConfig; asking?: Promise<QrveyConfig> | undefined }>();
  const untilRenewal = ({ refresh_after }: QrveyConfig): number => Date.parse(refresh_after) - Date.now();

  return async (name, { signal, params, onRenew, onError } = {}) => {
    signal?.throwIfAborted();
    const body = { params };
    const key = JSON.stringify([name, params]);
    const slot = held.get(key) ?? {};
    held.set(key, slot);
    // Not with any caller's signal: others wait for it too.
    const current = async (): Promise<QrveyConfig> =>
      slot.config && untilRenewal(slot.config) > 0
        ? slot.config
        : (slot.asking ??= ask<QrveyConfig>({ method: "POST", path: `/qrvey/${encodeURIComponent(name)}`, body, reads: true })
            .then((config) => (slot.config = config))
            .finally(() => (slot.asking = undefined)));

    const config = await abortable(current(), signal);
    if (onRenew) {
      let last = config.qvToken;
      let timer: ReturnType<typeof setTimeout>;
      const plan = (milliseconds: number) => {
        timer = setTimeout(() => void renew(), Math.min(Math.max(milliseconds, SOONEST_MILLISECONDS), LATEST_MILLISECONDS));
      };
      const renew = async () => {
        let next: QrveyConfig;
        try {
          next = await current();
        } catch (error) {
          if (signal?.aborted) return;
          plan(AGAIN_MILLISECONDS);
          return onError?.(error as ConsulateError);
        }
        if (signal?.aborted) return;
        plan(untilRenewal(next));
        if (next.qvToken === last) return;
        last = next.qvToken;
        onRenew({ ...next });
      };
      plan(untilRenewal(config));
      signal?.addEventListener("abort", () => clearTimeout(timer));
    }
    return { ...config };
  };
}
