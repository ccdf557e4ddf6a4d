// The host application's part: it knows who is signed in, and hands the widget a caller JWT when it asks.
// The JWT travels by postMessage to the widget's exact origin; it is never in an address.

import { clockText } from "./elements.js";
import { follow } from "./timeline.js";

const widgetOrigin = document.body.dataset.widgetOrigin;
/** The widgets on this page, each in a frame of its own, and the path of each. */
const frames = new Map([
  [document.getElementById("widget"), "/demo/widget"],
  [document.getElementById("dashboard"), "/demo/dashboard"],
]);
const jwtState = document.getElementById("jwt-state");
const jwtClaims = document.getElementById("jwt-claims");
const names = { ada: "Ada", grace: "Grace" };

let user = "ada";
let handed = null;

async function callerJwt(forUser) {
  const answer = await fetch("/demo/caller-jwt", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: forUser }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.title ?? "No caller JWT");
  return body;
}

/** The claims of a JWT, unverified: only to show them. */
function claimsOf(jwt) {
  const payload = jwt.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  return JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), null, 2);
}

function showHanded() {
  if (!handed) {
    jwtState.textContent = "No widget has asked for it yet.";
    jwtClaims.hidden = true;
    return;
  }
  const left = Date.parse(handed.expires_at) - Date.now();
  const until = left > 0 ? `good for another ${clockText(left)}` : "expired; a widget will ask again";
  jwtState.textContent = `Handed to a widget for ${names[handed.user]}, ${until}.`;
  if (jwtClaims.dataset.of === handed.jwt) return;
  jwtClaims.dataset.of = handed.jwt;
  try {
    jwtClaims.textContent = claimsOf(handed.jwt);
    jwtClaims.hidden = false;
  } catch {
    jwtClaims.hidden = true;
  }
}

async function answerWidget(frame, nonce) {
  const asker = user;
  try {
    const { jwt, expires_at } = await callerJwt(asker);
    // The switch was thrown meanwhile: this JWT is the other person's, and the frame has been reloaded.
    if (asker !== user) return;
    handed = { user: asker, jwt, expires_at };
    frame.contentWindow.postMessage({ type: "demo:jwt", nonce, jwt, expires_at }, widgetOrigin);
  } catch (failure) {
    frame.contentWindow.postMessage({ type: "demo:jwt", nonce, error: String(failure.message) }, widgetOrigin);
  }
  showHanded();
}

window.addEventListener("message", ({ origin, source, data }) => {
  const frame = [...frames.keys()].find((known) => known.contentWindow === source);
  if (origin !== widgetOrigin || !frame) return;
  if (data?.type === "demo:get-jwt" && typeof data.nonce === "string") answerWidget(frame, data.nonce);
  if (data?.type === "demo:height" && Number.isFinite(data.pixels)) {
    frame.style.height = `${Math.min(Math.max(data.pixels, 120), 4000)}px`;
  }
});

for (const choice of document.querySelectorAll("input[name=user]")) {
  choice.addEventListener("change", () => {
    user = choice.value;
    handed = null;
    showHanded();
    for (const [frame, path] of frames) frame.src = widgetOrigin + path;
  });
}

setInterval(showHanded, 1000);
follow();
