// A widget that embeds a Qrvey dashboard: asks Consulate for a security token by the name of a template, makes the
// configuration of Qrvey's element from the answer, and replaces the element when a newer token is due.

import { consulate } from "./consulate.js";
import { clockText, element, folded } from "./elements.js";
import { callerJwt, embedded, followHeight, forgetCallerJwt } from "./host-link.js";

const TEMPLATE = "sales";
/** Qrvey's elements take the name of a global variable. */
const CONFIG = "qrveyConfig";
const SOONEST_MILLISECONDS = 5_000;

const { baseUrl, launcher } = document.body.dataset;
const client = consulate({ baseUrl, widget: "demo", getJwt: callerJwt, forgetJwt: forgetCallerJwt });
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));

let loading = null;
let again = 0;
let expiresAt = 0;

/** Loads the instance's own launcher, once. */
function loadLauncher() {
  loading ??= new Promise((resolve, reject) => {
    const script = element("script", { src: launcher });
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("The Qrvey instance does not answer."));
    });
    document.head.append(script);
  });
  return loading;
}

function showProblem(problem) {
  const words = problem.document ?? problem;
  part.notice.replaceChildren(element("div", { class: "notice bad" },
    element("strong", {}, words.title ?? problem.message), words.detail ?? "",
    words.code ? element("p", { class: "small soft mono" }, words.code) : ""));
}

function showLifetime() {
  const left = expiresAt - Date.now();
  part.lifetime.hidden = expiresAt === 0;
  part.lifetime.textContent = left > 0
    ? `The security token lives for another ${clockText(left)}; a newer one comes before its end.`
    : "The security token has ended.";
}

async function show() {
  clearTimeout(again);
  try {
    await loadLauncher();
    const { domain, qv_token, qvToken, expires_at, refresh_after } = await client.securityToken(TEMPLATE);
    window[CONFIG] = { domain, qv_token, qvToken };
    const dashboard = element("qrvey-end-user");
    dashboard.setAttribute("settings", CONFIG);
    part.dashboard.replaceChildren(dashboard);
    part.notice.replaceChildren();
    expiresAt = Date.parse(expires_at);
    // All that the browser holds. The token is only cut short to be read.
    const held = { domain, qv_token: `${qv_token.slice(0, 24)}…`, qvToken: `${qvToken.slice(0, 24)}…` };
    part.config.replaceChildren(folded("The widget's configuration", element("pre", { tabIndex: 0 }, JSON.stringify(held, null, 2))));
    again = setTimeout(show, Math.max(SOONEST_MILLISECONDS, Date.parse(refresh_after) - Date.now()));
  } catch (problem) {
    showProblem(problem);
  }
  showLifetime();
}

function start() {
  if (!embedded) {
    part.show.hidden = true;
    part.notice.replaceChildren(element("div", { class: "notice warn" },
      element("strong", {}, "This widget lives in a host page"), "Open ", element("a", { href: `${baseUrl}/` }, `${baseUrl}/`)));
    return;
  }
  part.show.addEventListener("click", show);
  followHeight(part.content);
  setInterval(showLifetime, 1000);
}

start();
