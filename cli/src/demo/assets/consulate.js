// Consulate over HTTP, as a widget uses it: a caller JWT in a header, JSON in and out, no cookie.

/** An answer that is a problem document (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(document) {
    super(document.title ?? "Something went wrong");
    this.code = document.code;
    this.detail = document.detail;
    this.document = document;
  }
}

const NOT_REACHED = { title: "Consulate could not be reached", detail: "Is consulate dev still running?", code: "unreachable" };

/**
 * The calls of one widget. `getJwt` answers a caller JWT; `forgetJwt` is told when the server refused it, and the call
 * is made once more.
 */
export function consulate({ baseUrl, widget, getJwt, forgetJwt = () => {} }) {
  const prefix = `${baseUrl}/v1/widgets/${encodeURIComponent(widget)}`;

  async function send(method, path, body) {
    const headers = { authorization: `Bearer ${await getJwt()}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await fetch(prefix + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
    }).catch(() => { throw new Problem(NOT_REACHED); });
    const document = await answer.json().catch(() => ({ title: `Unreadable answer (${answer.status})` }));
    if (!answer.ok) throw new Problem({ status: answer.status, ...document });
    return document;
  }

  async function call(...request) {
    try {
      return await send(...request);
    } catch (problem) {
      if (problem.code !== "caller_unauthenticated") throw problem;
      forgetJwt();
      return send(...request);
    }
  }

  const connection = (authKey) => `/connections/${encodeURIComponent(authKey)}`;
  return {
    /** `{status, account, scopes, connected_at, expires_at, …}` */
    status: (authKey) => call("GET", connection(authKey)),
    /** `{connect_url, expires_at}`; `mode` is `popup` or `redirect`. */
    connect: (authKey, mode, returnTo) => call("POST", `${connection(authKey)}/connect`, { mode, return_to: returnTo }),
    /** Redirect mode's last step: `{status, …}`. */
    complete: (authKey, completion) => call("POST", `${connection(authKey)}/complete`, { completion }),
    /** `{status, revocation}` */
    disconnect: (authKey) => call("DELETE", connection(authKey)),
    /** `{domain, qv_token, qvToken, expires_at, refresh_after}`; `params` only where the template declares some. */
    securityToken: (template, params) => call("POST", `/qrvey/${encodeURIComponent(template)}`, params && { params }),
    /** `{statusCode, body, headers, contentType, isSuccess}` */
    callApi: (name, params) => call("POST", `/apis/${encodeURIComponent(name)}`, { params }),
  };
}
