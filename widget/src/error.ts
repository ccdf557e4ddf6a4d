/** The one error that the client throws, whatever went wrong. Giving up by a signal is the signal's own reason, as with `fetch`. */

/** A problem document (RFC 9457) as Consulate sends it. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  retryable?: boolean;
  request_id?: string;
  reason?: string;
  auth_key?: string;
  /** The member or param at fault. */
  field?: string;
  param?: string;
  connect?: { method: string; href: string };
}

/** What is known about an error beside its code. */
export type Circumstances = Partial<Pick<ConsulateError, "status" | "retryable" | "reason" | "authKey" | "requestId" | "retryAfterSeconds" | "problem" | "cause">>;

/**
 * `code` is stable: a problem's own (`authentication_required`, `rate_limited` …), the code a connect ended with (`access_denied` …),
 * or one of the client's: `unreachable`, `timeout`, `unexpected_answer`, `caller_jwt_unavailable`, `request_malformed`,
 * `popup_blocked`, `connect_timeout`, `base_url_differs`.
 */
export class ConsulateError extends Error {
  override readonly name = "ConsulateError";
  /** HTTP status; 0 when there was no answer. */
  readonly status: number = 0;
  /** The same call may succeed later without anybody doing anything. */
  readonly retryable: boolean = false;
  /** Why an account has to be connected (again). */
  declare readonly reason: string | undefined;
  /** The authentication it is about. */
  declare readonly authKey: string | undefined;
  /** Names the request in the server's log. */
  declare readonly requestId: string | undefined;
  /** How long the server asks to be left alone. */
  declare readonly retryAfterSeconds: number | undefined;
  /** The document itself. */
  declare readonly problem: Problem | undefined;

  constructor(
    readonly code: string,
    message: string,
    circumstances?: Circumstances,
  ) {
    super(message);
    Object.assign(this, circumstances);
  }
}

/** The error of an answer that is not what was asked for. `problem` is what its body held, if that was JSON. */
export function errorOf(answer: Response, problem?: Problem | null): ConsulateError {
  const { status } = answer;
  // Seconds; no server of ours sends a date.
  const retryAfterSeconds = Number(answer.headers.get("retry-after")) || undefined;
  if (!problem?.code) {
    // A gateway's words, or somebody else's page.
    const throttled = status === 429;
    return new ConsulateError(throttled ? "rate_limited" : "unexpected_answer", `Consulate answered ${status}`, {
      status,
      retryable: throttled || [502, 503, 504].includes(status),
      retryAfterSeconds,
    });
  }
  const { code, title, detail, retryable, reason, auth_key, request_id } = problem;
  // The words that widgets written for Appspace look for.
  return new ConsulateError(code, `${code === "authentication_required" ? "Authentication required" : title}: ${detail}`, {
    status,
    retryable: !!retryable,
    reason,
    authKey: auth_key,
    requestId: request_id,
    retryAfterSeconds,
    problem,
  });
}
