/**
 * One request to Consulate and its repetitions: a caller JWT in a header, JSON in and out, no cookie, nothing cached.
 *
 * A refused JWT is replaced once. Whatever may succeed later is sent again after a wait, if sending it twice does no harm.
 */

import { callerJwts } from "./caller-jwt.js";
import { ConsulateError, errorOf } from "./error.js";
import type { ConsulateOptions } from "./types.js";
import { abortable, pause } from "./waiting.js";

/** First attempt included. */
const ATTEMPTS = 4;
/** Doubles with every attempt. */
const BACK_OFF_MILLISECONDS = 400;
/** Who asks for more is not waited for: the error says how long. */
const LONGEST_WAIT_SECONDS = 10;
/** Longer than any answer of API Gateway takes. */
const ATTEMPT_MILLISECONDS = 35_000;
/** With these the server has done nothing that could be done twice. */
const NOTHING_DONE = ["rate_limited", "refresh_busy", "unavailable"];

/** What to send. */
export interface Request {
  /** GET unless said otherwise. */
  method?: "POST" | "PUT" | "DELETE";
  /** Below the widget's address. */
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Nothing changes at Consulate, whatever the method: the route takes any caller JWT again and again. */
  reads?: boolean;
  /** Sending it twice may do harm. */
  once?: boolean;
  /** Sent again only with another caller JWT, where the first was refused. */
  alone?: true;
  signal?: AbortSignal | undefined;
}

/** A 2xx answer. */
export interface Answer<Document> {
  status: number;
  statusText: string;
  etag: string | null;
  document: Document;
}

/** Sends requests for one widget. */
export interface Transport {
  /** Without trailing slash. */
  readonly baseUrl: string;
  send<Document>(request: Request): Promise<Answer<Document>>;
  /** The same where only the document is wanted. */
  ask<Document>(request: Request): Promise<Document>;
  /** A fresh JWT for the connect window. */
  handshakeJwt(): Promise<string>;
}

/**
 * Over the options of the client. `onError` hears of every error that reaches the caller.
 *
 * @throws TypeError for options that cannot be used.
 */
export function transportOf(options: ConsulateOptions, onError: (error: ConsulateError) => void): Transport {
  const baseUrl = usable(options);
  const jwts = callerJwts(options);

  async function attempt<Document>({ method, path, body, headers, reads, signal }: Request): Promise<Answer<Document>> {
    const timeout = AbortSignal.timeout(ATTEMPT_MILLISECONDS);
    const json = JSON.stringify(body);
    const until = signal ? AbortSignal.any([signal, timeout]) : timeout;
    let answer: Response;
    let text: string;
    let jwt: string | undefined;
    try {
      jwt = await abortable(jwts.get(!!method && !reads), until);
      answer = await fetch(`${baseUrl}/v1/widgets/${encodeURIComponent(options.widget)}${path}`, {
        method: method ?? "GET",
        headers: { authorization: `Bearer ${jwt}`, ...(json && { "content-type": "application/json" }), ...headers },
        body: json ?? null,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: until,
      });
      text = await answer.text();
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof ConsulateError) throw cause;
      throw new ConsulateError(timeout.aborted ? "timeout" : "unreachable", "Consulate did not answer", { retryable: true, cause });
    }
    let document;
    try {
      document = text && JSON.parse(text);
    } catch {
      throw errorOf(answer);
    }
    if (answer.status === 401) jwts.forget(jwt);
    if (!answer.ok) throw errorOf(answer, document);
    return { status: answer.status, statusText: answer.statusText || "OK", etag: answer.headers.get("etag"), document };
  }

  async function send<Document>(request: Request): Promise<Answer<Document>> {
    let renewed = false;
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await attempt<Document>(request);
      } catch (error) {
        if (!(error instanceof ConsulateError)) throw error;
        const { code, retryable, retryAfterSeconds: wait = 0 } = error;
        if (code === "caller_unauthenticated" && !renewed) {
          renewed = true;
          continue;
        }
        if (!retryable || request.alone || (request.once && !NOTHING_DONE.includes(code)) || attempts >= ATTEMPTS || wait > LONGEST_WAIT_SECONDS) {
          onError(error);
          throw error;
        }
        // Spread, so that widgets turned away together do not come back together.
        const backOff = BACK_OFF_MILLISECONDS * 2 ** attempts * (0.5 + Math.random() / 2);
        await pause(Math.max(wait * 1000, backOff), request.signal);
      }
    }
  }

  return {
    baseUrl,
    send,
    ask: async <Document>(request: Request) => (await send<Document>(request)).document,
    handshakeJwt() {
      jwts.forget();
      return jwts.get(true);
    },
  };
}

/** The address, if the options can be used. A caller JWT goes over https, or does not leave the machine. */
function usable({ baseUrl, widget, getCallerJwt }: ConsulateOptions): string {
  const { protocol, hostname } = new URL(baseUrl);
  if (protocol !== "https:" && !/^((.+\.)?localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) throw new TypeError("`baseUrl` must be https");
  if (!widget || typeof getCallerJwt !== "function") throw new TypeError("`widget` or `getCallerJwt` is missing");
  return baseUrl.replace(/\/+$/, "");
}
