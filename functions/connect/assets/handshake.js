// The handshake: asks the window that opened this one for a caller JWT, so that only the person who asked can go on.
// Continue is inert until a JWT is here and this page has been in view for half a second, so that a click meant for
// something else cannot land on it.
"use strict";
(() => {
  const ASK_AGAIN_MILLISECONDS = 500;
  const GIVE_UP_MILLISECONDS = 10_000;
  const RENEW_MILLISECONDS = 20_000; // caller JWTs are short-lived, people are not quick
  const INERT_MILLISECONDS = 500;

  const origins = JSON.parse(document.body.dataset.origins);
  const form = document.querySelector("form");
  const button = form.querySelector("button");
  const waiting = document.getElementById("waiting");
  const alone = document.getElementById("alone");
  const nonce = Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  let settled = false; // in view for long enough
  let settling = 0;
  let sent = false;

  function show() {
    button.disabled = sent || !settled || form.elements.caller_jwt.value === "";
  }

  function cameIntoView() {
    settled = false;
    show();
    clearTimeout(settling);
    if (document.visibilityState !== "visible") return;
    settling = setTimeout(() => { settled = true; show(); }, INERT_MILLISECONDS);
  }

  function ask() {
    for (const origin of origins) window.opener?.postMessage({ type: "consulate:jwt-request", nonce }, origin);
  }

  function giveUp() {
    if (form.elements.caller_jwt.value !== "") return;
    waiting.hidden = true;
    alone.hidden = false;
  }

  window.addEventListener("message", ({ source, origin, data }) => {
    if (source === null || source !== window.opener || !origins.includes(origin)) return;
    if (data?.type !== "consulate:jwt" || data.nonce !== nonce || typeof data.jwt !== "string") return;
    if (form.elements.caller_jwt.value === "") {
      clearInterval(asking);
      setInterval(ask, RENEW_MILLISECONDS);
    }
    form.elements.caller_jwt.value = data.jwt;
    waiting.hidden = true;
    alone.hidden = true;
    show();
  });

  form.addEventListener("submit", (event) => {
    if (button.disabled) {
      event.preventDefault();
      return;
    }
    sent = true;
    setTimeout(show); // not before the browser has collected the form
  });
  document.addEventListener("visibilitychange", cameIntoView);
  window.addEventListener("pageshow", () => { sent = false; cameIntoView(); });

  const asking = setInterval(ask, ASK_AGAIN_MILLISECONDS);
  if (window.opener === null || origins.length === 0) {
    clearInterval(asking);
    giveUp();
  } else {
    ask();
    setTimeout(() => { clearInterval(asking); giveUp(); }, GIVE_UP_MILLISECONDS);
  }
  cameIntoView();
})();
