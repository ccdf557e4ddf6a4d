/** Presets for the hosts a widget may find itself in. */

import type { CallerJwtSource, Consulate, Params } from "./types.js";
import { pause } from "./waiting.js";

/** As much of Happeo's widget SDK as is used. */
export interface HappeoWidgetApi {
  getJWT(): Promise<string>;
  getOneTimeJWT?(): Promise<string>;
}

const TRIES = 5;
const PAUSE_MILLISECONDS = 200;

/**
 * Caller JWTs from Happeo's widget SDK (`widgetSDK` or its `api`), after `init`. With `oneTime`, what changes something is asked with
 * a `getOneTimeJWT()` of its own: for widgets whose host insists on that.
 *
 * ```js
 * createConsulate({ baseUrl, widget, ...fromHappeo(widgetSDK.api) })
 * ```
 */
export function fromHappeo(widgetSdk: HappeoWidgetApi | { api: HappeoWidgetApi }, { oneTime = false } = {}): CallerJwtSource {
  const api = "api" in widgetSdk ? widgetSdk.api : widgetSdk;
  /** The SDK does not wait for its host to be there (`@happeo/widget-sdk` 0.2.5), so its first calls may fail. */
  const patiently = async (ask: () => Promise<string>): Promise<string> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (attempt >= TRIES) throw error;
        await pause(PAUSE_MILLISECONDS * attempt);
      }
    }
  };
  const source: CallerJwtSource = { getCallerJwt: () => patiently(() => api.getJWT()) };
  if (oneTime && api.getOneTimeJWT) source.getOneTimeJwt = () => patiently(() => api.getOneTimeJWT!());
  return source;
}

/** What an Appspace widget passes; what Appspace ignores of it is ignored. */
interface AppspaceOptions {
  params?: Params;
}

/**
 * Gives the page `window.appspace.widgetApi.callAuthenticatedAPI`, so that an Appspace widget runs here unchanged, and says so with
 * Appspace's own event `appspace:widgetapi:ready`. What else there is of `window.appspace` stays. Call it before the widget's script.
 */
export function installAppspaceShim(consulate: Consulate): void {
  const page = globalThis as { appspace?: { widgetApi?: Record<string, unknown> } };
  const widgetApi = ((page.appspace ??= {}).widgetApi ??= {});
  widgetApi["callAuthenticatedAPI"] = (name: string, { params }: AppspaceOptions = {}) =>
    consulate.callAuthenticatedAPI(name, params ? { params } : {});
  globalThis.document?.dispatchEvent(new CustomEvent("appspace:widgetapi:ready", { bubbles: true }));
}
