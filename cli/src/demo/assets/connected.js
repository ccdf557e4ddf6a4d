// Where redirect mode comes back to: takes the completion out of the fragment, and proves that the person who comes
// back is the one who asked. The caller JWT comes from the window that opened this one.

import { consulate } from "./consulate.js";

const GIVE_UP_MILLISECONDS = 8_000;
const baseUrl = document.body.dataset.baseUrl;
const outcome = document.getElementById("outcome");
const heading = document.querySelector("h1");
const close = document.getElementById("close");

const REFUSALS = {
  access_denied: "You said no at the provider, so nothing was connected.",
  completion_spent: "This return was used already, or came too late.",
  completion_forbidden: "Another person started this. Nothing was connected.",
};

function takeFragment() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname); // a reload or a copied address carries nothing
  return {
    completion: fragment.get("consulate_completion"),
    authKey: fragment.get("consulate_auth_key"),
    error: fragment.get("consulate_error"),
  };
}

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

function tellOpener(status, authKey, code) {
  window.opener?.postMessage({ type: "demo:result", status, auth_key: authKey ?? undefined, code }, location.origin);
}

async function complete({ completion, authKey, error }) {
  if (error) {
    tellOpener("failed", authKey, error);
    show("bad", "Not connected", REFUSALS[error] ?? `The provider answered: ${error}`);
    return;
  }
  if (!completion || !authKey) {
    show("warn", "Nothing to do here", "This page is where a connection by redirect ends. Start one in the widget.");
    return;
  }
  try {
    const jwt = await jwtFromOpener();
    const client = consulate({ baseUrl, widget: "demo", getJwt: async () => jwt });
    const connection = await client.complete(authKey, completion);
    tellOpener("connected", authKey);
    const who = connection.account?.name ?? connection.account?.email ?? "Your account";
    show("good", "Connected", `${who} is connected. You can close this tab.`);
  } catch (problem) {
    tellOpener("failed", authKey, problem.code);
    show("bad", problem.message, REFUSALS[problem.code] ?? problem.detail ?? "");
  }
}

close.addEventListener("click", () => window.close());
complete(takeFragment());
