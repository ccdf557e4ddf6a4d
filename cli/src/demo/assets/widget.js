// The calendar widget, each person's own: connects an account, calls a named API, keeps a preference on the server, and shows what
// browser delivery hands out where a bundle declares it. Nothing but a caller JWT is held here until that is asked for.

import { baseUrl, consulate, defineElement } from "./client.js";
import { busy, clockText, element, folded, notify, notifyError } from "./elements.js";
import { HOMELESS, answerReturnPage, embedded, followHeight } from "./host-link.js";
import { eventsOf, factsOf } from "./results.js";

const AUTH_KEY = "acme";
/** The same account, by an authentication that the bundle declares `"delivery": "browser"`. */
const DIRECT_AUTH_KEY = "acmeDirect";
/** Under this key the server keeps what this person prefers. */
const PREFERENCE = "calendar";
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));

const CODES = {
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

let before = null;
let lifetime = { expiresAt: null, whole: 0 };
let preference = { events: 3 };
let direct = null;

const failed = (error) => notifyError(part.notice, error, CODES);

/** Every time the connection is seen to stand otherwise. */
function show(connection) {
  if (connection.auth_key !== AUTH_KEY) return;
  const connected = connection.status === "connected";
  const expiresAt = connected && connection.expires_at ? Date.parse(connection.expires_at) : null;
  if (expiresAt !== lifetime.expiresAt) lifetime = { expiresAt, whole: Math.max(1, (expiresAt ?? 0) - Date.now()) };
  part.email.textContent = connected ? connection.account?.email ?? "" : "Your calendar lives at Acme Cloud. Connect it once.";
  part["by-redirect-line"].hidden = connected;
  if (before?.status === "connected" && connection.status === "disconnected") {
    part.result.replaceChildren();
    const { revocation } = connection;
    notify(part.notice, "good", "Disconnected", REVOCATIONS[revocation?.result] ?? "",
      folded("The receipt", element("pre", { tabIndex: 0 }, JSON.stringify(revocation, null, 2))));
    forgetToken();
  } else if (before && before.status !== "connected" && connected) {
    notify(part.notice, "good", "Connected", "The tokens went from Acme Cloud to the server, sealed. This widget got none of them.");
  }
  before = connection;
  showLifetime();
}

function showLifetime() {
  const { expiresAt, whole } = lifetime;
  part.lifetime.hidden = expiresAt === null;
  if (expiresAt !== null) {
    const left = expiresAt - Date.now();
    part["meter-left"].style.width = `${Math.min(100, Math.max(0, (100 * left) / whole))}%`;
    part.lifetime.classList.toggle("over", left <= 0);
    part["lifetime-text"].textContent = left > 0
      ? `The access token on the server lives for another ${clockText(left)}.`
      : "The access token has expired. The next call renews it on the server.";
  }
  // Ended, it is of no use to anybody.
  if (direct && Date.parse(direct.expires_at) <= Date.now()) forgetToken();
}

async function callApi(name, params, contentOf) {
  const started = performance.now();
  part.result.replaceChildren();
  // A call may have renewed the access token: its new expiry is in the status.
  const { data } = await consulate.callAuthenticatedAPI(name, { params }).finally(() => part.account.refresh());
  part.notice.replaceChildren();
  const took = Math.round(performance.now() - started);
  part.result.replaceChildren(
    element("p", { class: "result-head" }, element("span", {}, `${name} answered ${data.statusCode}`), element("span", {}, `${took} ms`)),
    contentOf(data.body),
    folded("The whole envelope", element("pre", { tabIndex: 0 }, JSON.stringify(data, null, 2))),
  );
}

const callEvents = () => callApi("listEvents", { limit: String(preference.events) }, (body) => eventsOf(body, preference.events));

/** The preference as the server has it. */
async function readPreference() {
  const { settings } = await consulate.settings.list("user");
  const stored = settings.find(({ key }) => key === PREFERENCE);
  if (stored) preference = stored.value;
  part.events.value = String(preference.events);
  part.kept.textContent = stored ? "Kept for you on the server." : "Not chosen yet.";
}

async function keepPreference() {
  preference = { events: Number(part.events.value) };
  part.kept.textContent = "Saving.";
  await consulate.settings.set("user", PREFERENCE, preference);
  part.kept.textContent = "Kept for you on the server.";
}

/** Option 1 of Happeo's page: the short-lived access token itself. Kept in a variable, for as long as it lives. */
async function callDirectly() {
  direct = await consulate.accessToken(DIRECT_AUTH_KEY);
  const answer = await fetch(`${baseUrl}/demo/provider/api/me`, { headers: { authorization: `Bearer ${direct.access_token}` }, credentials: "omit" });
  part.held.replaceChildren(
    element("p", { class: "result-head" }, element("span", {}, `Acme Cloud answered ${answer.status}, straight to this browser`)),
    factsOf(await answer.json()),
    folded("What the widget holds now", element("pre", { tabIndex: 0 }, JSON.stringify({ ...direct, access_token: `${direct.access_token.slice(0, 16)}…` }, null, 2))),
  );
}

function forgetToken() {
  direct = null;
  part.held.replaceChildren();
}

function start() {
  if (!embedded) {
    part.widget.hidden = true;
    notify(part.notice, ...HOMELESS);
    return;
  }
  consulate.onChange(show);
  defineElement();
  part["by-redirect"].addEventListener("change", () => {
    const { checked } = part["by-redirect"];
    part.account.setAttribute("mode", checked ? "redirect" : "popup");
    part.account.setAttribute("return-to", `${location.origin}/demo/widget/connected`);
  });
  part.call.addEventListener("click", () => busy(part.call, callEvents, failed));
  part["who-am-i"].addEventListener("click", () => busy(part["who-am-i"], () => callApi("whoAmI", {}, factsOf), failed));
  part.events.addEventListener("change", () => keepPreference().catch(failed));
  part["call-directly"].addEventListener("click", () => busy(part["call-directly"], callDirectly, (error) => notifyError(part.held, error, CODES)));
  followHeight(part.content);
  answerReturnPage();
  setInterval(showLifetime, 1000);
  readPreference().catch(failed);
}

start();
