// One attempt to connect an account, in a popup or by redirect in a tab of its own.
//
// The window is opened in the click itself, or browsers block it; its address follows when the ticket is there. What
// the window says by postMessage only makes things quicker: the connection's own status decides, so a browser that
// cuts the tie between the two windows changes nothing.

const POLL_MILLISECONDS = 1_000;
const SLOW_POLL_MILLISECONDS = 3_000;
const GIVE_UP_MILLISECONDS = 10 * 60_000;
const POPUP = "popup,width=520,height=680";

/**
 * Starts an attempt. `client` is the widget's Consulate client, `before` the connection as it is now. Calls back:
 * `link(url)` when the popup was blocked, `waiting(text)`, `connected(connection)`, `failed({title, detail, code})`.
 * Returns a function that abandons the attempt.
 */
export function startConnecting({ mode, baseUrl, authKey, client, before, getJwt, on }) {
  const returnTo = mode === "redirect" ? `${location.origin}/demo/widget/connected` : undefined;
  let opened = window.open("about:blank", "_blank", mode === "popup" ? POPUP : undefined);
  let offered = false;
  let over = false;
  const startedAt = Date.now();

  function finish(report, value) {
    if (over) return;
    over = true;
    window.removeEventListener("message", listen);
    report(value);
  }

  async function handOver(type, nonce, targetOrigin) {
    // Straight back to the window that asked, under the one origin it may have.
    const source = opened;
    try {
      source?.postMessage({ type, nonce, jwt: await getJwt() }, targetOrigin);
    } catch (problem) {
      finish(on.failed, { title: "No caller JWT", detail: problem.message });
    }
  }

  function listen({ origin, source, data }) {
    // A window opened by the plain link has no handle here yet. It is Consulate's own page by its origin, and it gets
    // what Consulate gets with every call.
    if (offered && !opened && origin === baseUrl) opened = source;
    if (!opened || source !== opened || typeof data?.type !== "string") return;
    const asked = typeof data.nonce === "string";
    if (origin === baseUrl) {
      if (data.type === "consulate:jwt-request" && asked) handOver("consulate:jwt", data.nonce, baseUrl);
      if (data.type === "consulate:result") result(data);
    }
    // The return page of redirect mode is this widget's own.
    if (origin === location.origin && mode === "redirect") {
      if (data.type === "demo:get-jwt" && asked) handOver("demo:jwt", data.nonce, location.origin);
      if (data.type === "demo:result") result(data);
    }
  }

  function result({ status, code, auth_key: key }) {
    if (key !== undefined && key !== authKey) return;
    if (status === "connected") lookOnce().catch(() => {});
    else finish(on.failed, { title: "The account was not connected", code: code ?? status });
  }

  async function lookOnce() {
    const now = await client.status(authKey);
    if (now.status === "connected" && now.connected_at !== before?.connected_at) finish(on.connected, now);
  }

  async function poll() {
    let closedSeen = false;
    while (!over && Date.now() - startedAt < GIVE_UP_MILLISECONDS) {
      await new Promise((resolve) => setTimeout(resolve, closedSeen ? SLOW_POLL_MILLISECONDS : POLL_MILLISECONDS));
      if (over) return;
      if (opened?.closed && !closedSeen) {
        closedSeen = true;
        on.waiting("The window is closed. If you did not finish there, connect again.");
      }
      await lookOnce().catch(() => {}); // a poll that fails is asked again
    }
    finish(on.failed, { title: "Nothing happened for ten minutes", detail: "Connect again when you are ready." });
  }

  async function begin() {
    const { connect_url: address } = await client.connect(authKey, mode, returnTo);
    if (over) return;
    if (!address.startsWith(`${baseUrl}/v1/connect/`)) throw new Error("The connect link points elsewhere.");
    if (opened) {
      opened.location.replace(address);
      on.waiting(mode === "popup" ? "Finish in the window that opened." : "Finish in the tab that opened.");
    } else {
      offered = true;
      on.link(address, () => { opened = window.open(address, "_blank"); return opened !== null; });
    }
    poll();
  }

  window.addEventListener("message", listen);
  begin().catch((problem) => {
    opened?.close();
    finish(on.failed, problem.document ?? { title: problem.message });
  });
  return () => finish(() => {});
}
