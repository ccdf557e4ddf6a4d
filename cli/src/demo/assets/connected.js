// Where redirect mode comes back to: takes the completion out of the fragment, and proves that the person who comes
// back is the one who asked. The caller JWT comes from the window that opened this one.

import { createConsulate } from "{{BASE_URL}}/v1/consulate.js";

const GIVE_UP_MILLISECONDS = 8_000;
const outcome = document.getElementById("outcome");
const heading = document.querySelector("h1");
const close = document.getElementById("close");

const REFUSALS = {
  access_denied: "You said no at the provider, so nothing was connected.",
  completion_spent: "This return was used already, or came too late.",
  completion_forbidden: "Another person started this. Nothing was connected.",
};

function jwtFromOpener() {
  if (!window.opener) return Promise.reject(new Error("The page that started this is gone. Go back to it and connect again."));
  const nonce = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("The page that started this does not answer. Go back to it and connect again.")), GIVE_UP_MILLISECONDS);
    window.addEventListener("message", ({ origin, source, data }) => {
      if (origin !== location.origin || source !== window.opener) return;
      if (data?.type !== "demo:jwt" || data.nonce !== nonce || typeof data.jwt !== "string") return;
      clearTimeout(late);
      resolve(data.jwt);
    });
    window.opener.postMessage({ type: "demo:get-jwt", nonce }, location.origin);
  });
}

function show(kind, title, text) {
  heading.textContent = title;
  outcome.className = `notice ${kind}`;
  outcome.textContent = text;
  outcome.hidden = text === "";
  close.hidden = false;
  document.title = title;
}

async function complete() {
  const consulate = createConsulate({ baseUrl: "{{BASE_URL}}", widget: "demo", getCallerJwt: jwtFromOpener });
  try {
    const connection = await consulate.completeRedirect();
    if (!connection) {
      show("warn", "Nothing to do here", "This page is where a connection by redirect ends. Start one in the widget.");
      return;
    }
    const who = connection.account?.name ?? connection.account?.email ?? "Your account";
    show("good", "Connected", `${who} is connected. You can close this tab.`);
  } catch (error) {
    show("bad", "Not connected", REFUSALS[error.code] ?? error.cause?.message ?? error.problem?.detail ?? error.message);
  }
}

close.addEventListener("click", () => window.close());
complete();
