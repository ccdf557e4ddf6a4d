/**
 * Caller JWTs: asked for once however many calls wait, kept in memory until shortly before they end, never stored.
 *
 * A JWT with a `jti` may be good for one changing request only (the server's choice), so none is sent with two of them. What it
 * says is read without verifying: only how long it lives, and whether it has a `jti`.
 */

import { ConsulateError } from "./error.js";
import type { CallerJwtSource } from "./types.js";
import { abortable } from "./waiting.js";

/** A JWT is used for this part of the life it has left when it comes: it has to arrive before it ends. */
const PART_USED = 0.75;
/** A host that does not answer must not hold up what comes later. */
const PATIENCE_MILLISECONDS = 15_000;

/** Hands out caller JWTs. */
export interface CallerJwts {
  /** For a request that changes something, or for one that does not. */
  get(changing: boolean): Promise<string>;
  /** The server refused this one; without it: a fresh one is wanted for another reason. */
  forget(jwt?: string): void;
}

/** Over the host application's source. */
export function callerJwts({ getCallerJwt, getOneTimeJwt }: CallerJwtSource): CallerJwts {
  let held: { jwt: string; until: number } | null = null;
  let asking: Promise<string> | null = null;
  let claiming: Promise<unknown> = Promise.resolve();

  const shared = (): Promise<string> =>
    (asking ??= ask(getCallerJwt)
      .then((jwt) => {
        const now = Date.now();
        held = { jwt, until: now + ((claimsOf(jwt).exp ?? 0) * 1000 - now) * PART_USED };
        return jwt;
      })
      .finally(() => {
        asking = null;
      }));

  const reusable = async (): Promise<string> => (held && held.until > Date.now() ? held.jwt : shared());

  return {
    async get(changing) {
      if (!changing) return reusable();
      if (getOneTimeJwt) return ask(getOneTimeJwt);
      // One after the other, so that no two take the same.
      const claim = async () => {
        const jwt = await reusable();
        if (claimsOf(jwt).jti) held = null;
        return jwt;
      };
      const claimed = claiming.then(claim, claim);
      claiming = claimed;
      return claimed;
    },
    forget(jwt) {
      // Another call may have brought a newer one meanwhile.
      if (!jwt || held?.jwt === jwt) held = null;
    },
  };
}

async function ask(source: () => string | Promise<string>): Promise<string> {
  let cause: unknown;
  try {
    const jwt = await abortable((async () => source())(), AbortSignal.timeout(PATIENCE_MILLISECONDS));
    // Happeo's SDK says the literal word JWT in its mock mode.
    if (jwt.split(".").length === 3) return jwt;
  } catch (error) {
    cause = error;
  }
  throw new ConsulateError("caller_jwt_unavailable", "The host gave no caller JWT", { cause });
}

/** The claims, unverified; none where the payload cannot be read. */
function claimsOf(jwt: string): { exp?: number; jti?: unknown } {
  try {
    return JSON.parse(atob(jwt.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/"))) ?? {};
  } catch {
    return {};
  }
}
