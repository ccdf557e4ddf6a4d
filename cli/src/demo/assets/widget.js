// The demo widget: connects an account, calls a named API, shows how long the access token still lives.
// What it holds is a caller JWT. What it knows of the connection is what its status says.

import { startConnecting } from "./connecting.js";
import { consulate } from "./consulate.js";
import { clockText, element, folded } from "./elements.js";
import { callerJwt, embedded, followHeight, forgetCallerJwt } from "./host-link.js";
import { eventsOf, factsOf } from "./results.js";

const AUTH_KEY = "acme";
const baseUrl = document.body.dataset.baseUrl;
const client = consulate({ baseUrl, widget: "demo", getJwt: callerJwt, forgetJwt: forgetCallerJwt });
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));

const PILLS = {
  connected: ["Connected", "good"],
  pending: ["Connecting", "warn"],
  needs_reauthorisation: ["Connect again", "warn"],
  disconnected: ["Disconnected", ""],
  not_connected: ["Not connected", ""],
};

const CODES = {
  access_denied: "You said no at Acme Cloud, so nothing was connected.",
  authentication_required: "Connect Acme Cloud first; then call again.",
  refresh_busy: "The access token is being renewed right now. Try again in a moment.",
};

const REVOCATIONS = {
  revoked: "Acme Cloud confirmed that the grant is revoked.",
  already_gone: "Acme Cloud no longer knew the grant.",
  provider_has_none: "The provider has no way to revoke; the tokens are deleted here.",
  gave_up: "Acme Cloud did not answer; the tokens are deleted here.",
  pending: "The revocation at Acme Cloud is under way.",
};

let connection = null;
let lifetime = { expiresAt: null, whole: 0 };
let abandon = () => {};

function notice(kind, title, ...rest) {
  part.notice.replaceChildren(element("div", { class: `notice ${kind}` }, element("strong", {}, title), rest));
}

function quietNotice() {
  part.notice.replaceChildren();
}

function showProblem(problem) {
  const words = problem.document ?? problem;
  const text = CODES[words.code] ?? words.detail ?? "";
  const code = words.code ? element("p", { class: "small soft mono" }, words.code) : "";
  const raw = problem.document?.status ? folded("Problem document", element("pre", {}, JSON.stringify(problem.document, null, 2))) : "";
  notice("bad", words.title ?? problem.message ?? "Something went wrong", text, code, raw);
}

function show(now) {
  connection = now;
  const connected = now.status === "connected";
  const account = connected || now.status === "needs_reauthorisation" ? now.account : null;
  const name = account?.name ?? account?.email ?? "Acme Cloud";
  part["account-name"].textContent = name;
  part["account-email"].textContent = account?.email ?? "Your calendar lives there. Connect it once.";
  part.avatar.textContent = account ? name.slice(0, 1).toUpperCase() : "?";
  part.avatar.classList.toggle("known", Boolean(account));
  const [text, kind] = PILLS[now.status] ?? [now.status, ""];
  part.pill.textContent = text;
  part.pill.className = `pill ${kind}`;
  part.connect.hidden = connected;
  part["by-redirect-line"].hidden = connected;
  part.disconnect.hidden = !connected && now.status !== "needs_reauthorisation";
  part.call.classList.toggle("primary", connected);
  part.call.disabled = false;
  part["who-am-i"].disabled = false;
  const expiresAt = connected && now.expires_at ? Date.parse(now.expires_at) : null;
  if (expiresAt !== lifetime.expiresAt) lifetime = { expiresAt, whole: Math.max(1, (expiresAt ?? 0) - Date.now()) };
  showLifetime();
}

function showLifetime() {
  const { expiresAt, whole } = lifetime;
  part.lifetime.hidden = expiresAt === null;
  if (expiresAt === null) return;
  const left = expiresAt - Date.now();
  part["meter-left"].style.width = `${Math.min(100, Math.max(0, (100 * left) / whole))}%`;
  part.lifetime.classList.toggle("over", left <= 0);
  part["lifetime-text"].textContent = left > 0
    ? `The access token on the server lives for another ${clockText(left)}.`
    : "The access token has expired. The next call renews it on the server.";
}

async function refreshStatus() {
  try {
    show(await client.status(AUTH_KEY));
  } catch (problem) {
    part.pill.textContent = "No answer";
    part.pill.className = "pill bad";
    part["account-email"].textContent = "";
    showProblem(problem);
  }
}

function connect(mode) {
  abandon();
  part.result.replaceChildren();
  notice("", mode === "popup" ? "Opening a window" : "Opening a tab", "The widget asks Consulate for a one-time connect link.");
  // No await before this line: the window has to open in the click.
  abandon = startConnecting({
    mode, baseUrl, authKey: AUTH_KEY, client, before: connection, getJwt: callerJwt,
    on: {
      waiting: (text) => notice("", "Waiting for Acme Cloud", text),
      link: (address, open) => {
        const link = element("a", { href: address, target: "_blank", rel: "opener", class: "button primary" }, "Open the connect window");
        link.addEventListener("click", (click) => { if (open()) click.preventDefault(); });
        notice("warn", "Your browser blocked the window", "This link opens it. ", link);
      },
      connected: (now) => {
        show(now);
        notice("good", "Connected", "The tokens went from Acme Cloud to the server, sealed. This widget got none of them.");
      },
      failed: (problem) => {
        showProblem(problem);
        refreshStatus();
      },
    },
  });
}

async function busy(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (problem) {
    showProblem(problem);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

async function callApi(name, params, contentOf) {
  const started = performance.now();
  part.result.replaceChildren();
  const envelope = await client.callApi(name, params).finally(refreshAfterCall);
  quietNotice();
  const took = Math.round(performance.now() - started);
  part.result.replaceChildren(
    element("p", { class: "result-head" }, element("span", {}, `${name} answered ${envelope.statusCode}`), element("span", {}, `${took} ms`)),
    contentOf(envelope.body),
    folded("The whole envelope", element("pre", { tabIndex: 0 }, JSON.stringify(envelope, null, 2))),
  );
}

// A call may have renewed the access token: its new expiry is in the status.
function refreshAfterCall() {
  client.status(AUTH_KEY).then(show, () => {});
}

async function disconnect() {
  abandon();
  const receipt = await client.disconnect(AUTH_KEY);
  part.result.replaceChildren();
  const result = receipt.revocation?.result;
  notice("good", "Disconnected", REVOCATIONS[result] ?? "Nothing was connected.",
    folded("The receipt", element("pre", { tabIndex: 0 }, JSON.stringify(receipt, null, 2))));
  await refreshStatus();
  part.connect.focus();
}

function start() {
  if (!embedded) {
    part["account-email"].textContent = "";
    part.pill.textContent = "No host page";
    notice("warn", "This widget lives in a host page", "Open ", element("a", { href: `${baseUrl}/` }, `${baseUrl}/`));
    return;
  }
  part.connect.addEventListener("click", () => connect("popup"));
  part["by-redirect"].addEventListener("click", () => connect("redirect"));
  part.call.addEventListener("click", () => busy(part.call, () => callApi("listEvents", { limit: "5" }, eventsOf)));
  part["who-am-i"].addEventListener("click", () => busy(part["who-am-i"], () => callApi("whoAmI", {}, factsOf)));
  part.disconnect.addEventListener("click", () => busy(part.disconnect, disconnect));
  followHeight(part.content);
  setInterval(showLifetime, 1000);
  refreshStatus();
}

start();
