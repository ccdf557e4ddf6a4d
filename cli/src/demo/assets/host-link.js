// The widget's line to its host page: asks for caller JWTs, tells its height. Holds the JWT in memory only.

const hostOrigin = document.body.dataset.baseUrl;
const FRESH_FOR_MILLISECONDS = 30_000;
const ASK_AGAIN_MILLISECONDS = 400;
const GIVE_UP_MILLISECONDS = 8_000;

let held = null;
let asking = null;

/** Whether there is a host page around this one. */
export const embedded = window.parent !== window;

function ask() {
  const nonce = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    const send = () => window.parent.postMessage({ type: "demo:get-jwt", nonce }, hostOrigin);
    const again = setInterval(send, ASK_AGAIN_MILLISECONDS); // the host page may still be loading
    const late = setTimeout(() => finish(reject, new Error("The host page did not hand out a caller JWT.")), GIVE_UP_MILLISECONDS);
    function finish(settle, value) {
      clearInterval(again);
      clearTimeout(late);
      window.removeEventListener("message", listen);
      settle(value);
    }
    function listen({ origin, source, data }) {
      if (origin !== hostOrigin || source !== window.parent) return;
      if (data?.type !== "demo:jwt" || data.nonce !== nonce) return;
      if (typeof data.jwt === "string") finish(resolve, { jwt: data.jwt, until: Date.parse(data.expires_at) });
      else finish(reject, new Error(data.error ?? "The host page has no caller JWT."));
    }
    window.addEventListener("message", listen);
    send();
  });
}

/** A caller JWT that lives for a while yet. */
export async function callerJwt() {
  if (held && held.until - Date.now() > FRESH_FOR_MILLISECONDS) return held.jwt;
  asking ??= ask().finally(() => { asking = null; });
  held = await asking;
  return held.jwt;
}

/** Forgets the JWT: the server no longer takes it. */
export function forgetCallerJwt() {
  held = null;
}

/** Keeps the frame as high as its content. */
export function followHeight(content) {
  let told = 0;
  const tell = () => {
    const pixels = Math.ceil(content.getBoundingClientRect().height);
    if (pixels === told) return;
    told = pixels;
    window.parent.postMessage({ type: "demo:height", pixels }, hostOrigin);
  };
  new ResizeObserver(tell).observe(content);
  // Chromium swallows the size change that comes with a click which opens a window; what made it is seen all the same.
  new MutationObserver(tell).observe(content, { attributes: true, childList: true, subtree: true });
}
