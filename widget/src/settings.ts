/** The widget's private key-value storage. Versions travel as `ETag`, `If-Match` and `If-None-Match` (RFC 9110 section 13). */

import type { ConsulateError } from "./error.js";
import type { Transport } from "./transport.js";
import type { Settings, SettingsPage, SettingsScope } from "./types.js";

/** Over a transport. */
export function settingsOf({ ask, send }: Transport): Settings {
  const pathOf = (scope: SettingsScope, key: string) => `/settings/${scope}/${encodeURIComponent(key)}`;
  /** A condition that held the first time fails the second: then only what was not done is sent again. */
  const change = (method: "PUT" | "DELETE", path: string, { signal, ifMatch, ifAbsent }: { signal?: AbortSignal | undefined; ifMatch?: string; ifAbsent?: boolean } = {}, body?: unknown) =>
    send<unknown>({
      method,
      path,
      body,
      headers: { ...(ifMatch && { "if-match": ifMatch }), ...(ifAbsent && { "if-none-match": "*" }) },
      once: !!(ifMatch || ifAbsent),
      signal,
    });
  return {
    async get(scope, key, options) {
      try {
        const { document, etag } = await send<never>({ path: pathOf(scope, key), ...options });
        return { value: document, etag };
      } catch (error) {
        if ((error as ConsulateError).code === "setting_unknown") return null;
        throw error;
      }
    },
    async set(scope, key, value, options) {
      const { etag } = await change("PUT", pathOf(scope, key), options, value);
      return { etag };
    },
    async delete(scope, key, options) {
      await change("DELETE", pathOf(scope, key), options);
    },
    list: (scope, { signal, cursor } = {}) =>
      ask<SettingsPage>({ path: `/settings/${scope}${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""}`, signal }),
  };
}
