/**
 * Connecting an account, in a popup or by redirect.
 *
 * The window is opened in the click itself, or browsers block it; its address follows when the ticket is there. What the window says
 * by `postMessage` only makes things quicker: the connection's own status decides (`connected_at` changes with every connect), so a
 * provider or host page that cuts the tie between the windows (Cross-Origin-Opener-Policy) changes nothing, and a window that looks
 * closed means nothing.
 */

import { type Connections, pathOf } from "./connections.js";
import { ConsulateError } from "./error.js";
import type { Transport } from "./transport.js";
import type { Connection, Consulate } from "./types.js";
import { pause } from "./waiting.js";

/** Between two looks at the status, at first and at most; it grows as people take their time. */
const POLL_MILLISECONDS = 1_500;
const SLOWEST_POLL_MILLISECONDS = 4_000;
/** As long as ticket and flow live together. */
const GIVE_UP_MILLISECONDS = 15 * 60_000;
const POPUP = "popup,width=520,height=680";

/** `connect` and `completeRedirect`, over the client's parts. */
export function connecting({ baseUrl, ask, handshakeJwt }: Transport, { connection, note }: Connections): Pick<Consulate, "connect" | "completeRedirect"> {
  const origin = new URL(baseUrl).origin;

  return {
    /** Runs up to the window's opening before it returns for the first time: that is what a click allows. */
    async connect(authKey, { mode = "popup", returnTo, signal, onProgress } = {}) {
      signal?.throwIfAborted();
      const redirects = mode === "redirect";
      const framed = self !== top;
      const leaves = redirects && !framed;
      const openAt = (url: string) => open(url, "_blank", redirects ? "" : POPUP);
      let opened = leaves ? null : openAt("about:blank");
      if (!leaves && !opened && !onProgress) throw new ConsulateError("popup_blocked", "Your browser blocked the window", { authKey });

      const waiting = () => onProgress?.({ step: "waiting" });
      const over = new AbortController();
      const until = { signal: over.signal };
      try {
        return await new Promise<Connection>((resolve, reject) => {
          /** `connected_at` before this attempt; undefined until that is known. */
          let before: string | null | undefined;
          const look = async () => {
            try {
              const now = await connection(authKey, until);
              if (before !== undefined && now.status === "connected" && now.connected_at !== before) resolve(now);
            } catch (error) {
              // What may pass is asked again.
              if (!(error as ConsulateError).retryable) reject(error);
            }
          };

          let answering = false;
          const handOver = async (nonce: string) => {
            if (answering) return;
            answering = true;
            try {
              const jwt = await handshakeJwt();
              opened?.postMessage({ type: "consulate:jwt", nonce, jwt }, origin);
            } catch {
              // The page asks again, and says so when nobody answers.
            }
            answering = false;
          };
          const listen = ({ data, source, origin: sender }: MessageEvent) => {
            // In redirect mode the page of `returnTo` tells, if it is of our own origin: see `completeRedirect`.
            if ((sender !== origin && !(redirects && sender === location.origin)) || !source || !data) return;
            // A window that the person opened by the link has no handle here yet; it is ours if we are its opener.
            if (!opened && (source as Window).opener === window) {
              opened = source as Window;
              waiting();
            }
            if (source !== opened) return;
            if (data.type === "consulate:jwt-request" && typeof data.nonce === "string") void handOver(data.nonce);
            if (data.type !== "consulate:result" || (data.auth_key ?? authKey) !== authKey) return;
            if (data.status === "connected") void look();
            else {
              // The window says what went wrong, in more words than we have: it stays.
              opened = null;
              reject(failed(data.code, authKey));
            }
          };

          const begin = async () => {
            const [first, { connect_url: url }] = await Promise.all([
              connection(authKey, until),
              ask<{ connect_url: string }>({
                method: "POST",
                path: `${pathOf(authKey)}/connect`,
                body: redirects ? { mode, return_to: returnTo ?? location.href.split("#")[0] } : { mode },
                ...until,
              }),
            ]);
            before = first.connected_at;
            // Both the window's address and the origin that is listened to.
            if (!url.startsWith(`${baseUrl}/v1/connect/`)) throw new ConsulateError("base_url_differs", `Consulate is at ${new URL(url).origin}`, { authKey });
            if (leaves) location.assign(url);
            else if (opened) {
              opened.location.replace(url);
              waiting();
            } else {
              const byLink = () => {
                // In a frame the page around it may be why (Cross-Origin-Opener-Policy): then a window did open, without a tie,
                // and would again, beside the link's own.
                opened = framed ? null : openAt(url);
                if (opened) waiting();
                return !!opened;
              };
              onProgress?.({ step: "blocked", url, open: byLink });
            }

            const began = Date.now();
            let closed = false;
            for (let passed = 0; passed < GIVE_UP_MILLISECONDS; passed = Date.now() - began) {
              await pause(Math.min(POLL_MILLISECONDS + passed / 40, SLOWEST_POLL_MILLISECONDS), over.signal);
              if (opened?.closed && !closed) {
                closed = true;
                onProgress?.({ step: "window_closed" });
              }
              await look();
            }
            throw new ConsulateError("connect_timeout", "Not finished", { authKey });
          };

          addEventListener("message", listen, until);
          signal?.addEventListener("abort", () => reject(signal.reason), until);
          begin().catch(reject);
        });
      } catch (error) {
        opened?.close();
        throw error;
      } finally {
        over.abort();
      }
    },

    /**
     * Takes the news out of the fragment, so that a reload or a copied address carries nothing. A frame that opened this page in a tab
     * is told how it ended.
     */
    async completeRedirect(options) {
      const hash = location.hash.slice(1);
      const news = new URLSearchParams(hash);
      const authKey = news.get("consulate_auth_key");
      if (!authKey) return null;
      const rest = hash.split("&").filter((part) => !part.startsWith("consulate_")).join("&");
      history.replaceState(history.state, "", location.pathname + location.search + (rest && `#${rest}`));
      const completion = news.get("consulate_completion");
      const tell = (code?: unknown) => window.opener?.postMessage({ type: "consulate:result", status: code ? "failed" : "connected", code, auth_key: authKey }, location.origin);
      try {
        if (!completion) throw failed(news.get("consulate_error"), authKey);
        const connection = await ask<Connection>({ method: "POST", path: `${pathOf(authKey)}/complete`, body: { completion }, ...options });
        tell();
        return note(connection);
      } catch (error) {
        // Every other error is a signal's reason, and a failure all the same.
        tell(error instanceof ConsulateError ? error.code : "unavailable");
        throw error;
      }
    },
  };
}

/** How a connect ended, in a code of the result page's. */
const failed = (code: string | null, authKey: string): ConsulateError =>
  new ConsulateError(code || "unavailable", `Not connected: ${code}`, { authKey, retryable: /unavailable$/.test(code || "") });
