// The widget's line to its host page: asks for caller JWTs, tells its height. Holds nothing: the client keeps the JWT, in memory.

const hostOrigin = document.body.dataset.hostOrigin;
const ASK_AGAIN_MILLISECONDS = 400;
const GIVE_UP_MILLISECONDS = 8_000;

/** Whether there is a host page around this one. */
export const embedded = window.parent !== window;

/** A caller JWT from the host page. */
export function callerJwt() {
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
      if (typeof data.jwt === "string") finish(resolve, data.jwt);
      else finish(reject, new Error(data.error ?? "The host page has no caller JWT."));
    }
    window.addEventListener("message", listen);
    send();
  });
}

/** Hands a caller JWT to the page that redirect mode comes back to: it is of this very origin, in a window that this one opened. */
export function answerReturnPage() {
  window.addEventListener("message", async ({ origin, source, data }) => {
    if (origin !== location.origin || source?.opener !== window || data?.type !== "demo:get-jwt") return;
    source.postMessage({ type: "demo:jwt", nonce: data.nonce, jwt: await callerJwt() }, origin);
  });
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

/** What a widget shows when somebody opens it by itself. */
export const HOMELESS = ["warn", "This widget lives in a host page", `Open ${hostOrigin}/`];
