// A widget that embeds a Qrvey dashboard, one for the whole organisation: asks Consulate for a security token by the name of a
// template, makes the configuration of Qrvey's element from the answer, and replaces the element when a newer token comes. Its
// headline is a setting of the organisation, which administrators write and everybody reads.

import { consulate } from "./client.js";
import { busy, clockText, element, folded, notify, notifyError } from "./elements.js";
import { HOMELESS, embedded, followHeight } from "./host-link.js";

const TEMPLATE = "sales";
/** Qrvey's elements take the name of a global variable. */
const CONFIG = "qrveyConfig";
const HEADLINE = "dashboard.headline";
const CODES = { caller_forbidden: "Only an administrator of Acme can change what everybody reads. Ada is one." };

const { launcher } = document.body.dataset;
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));

let loading = null;
let expiresAt = 0;
let stored = null;

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

const failed = (error) => notifyError(part.notice, error, CODES);

function showLifetime() {
  const left = expiresAt - Date.now();
  part.lifetime.hidden = expiresAt === 0;
  part.lifetime.textContent = left > 0
    ? `The security token lives for another ${clockText(left)}; a newer one comes before its end.`
    : "The security token has ended.";
}

/** Builds the element anew: Qrvey renews nothing in place. */
function build({ domain, qv_token, qvToken, expires_at }) {
  window[CONFIG] = { domain, qv_token, qvToken };
  const dashboard = element("qrvey-end-user");
  dashboard.setAttribute("settings", CONFIG);
  part.dashboard.replaceChildren(dashboard);
  part.notice.replaceChildren();
  expiresAt = Date.parse(expires_at);
  // All that the browser holds. The token is only cut short to be read.
  const held = { domain, qv_token: `${qv_token.slice(0, 24)}…`, qvToken: `${qvToken.slice(0, 24)}…` };
  part.config.replaceChildren(folded("The widget's configuration", element("pre", { tabIndex: 0 }, JSON.stringify(held, null, 2))));
  showLifetime();
}

async function show() {
  await loadLauncher();
  build(await consulate.qrveyConfig(TEMPLATE, { onRenew: build, onError: failed }));
  // Not before: who could not be shown it may try again.
  part.show.hidden = true;
}

async function readHeadline() {
  const { settings } = await consulate.settings.list("organisation");
  stored = settings.find(({ key }) => key === HEADLINE);
  const headline = stored?.value ?? "Sales";
  part.headline.textContent = headline;
  part["new-headline"].value = headline;
}

async function keepHeadline() {
  // Over the version that was read, so that two administrators do not overwrite each other unseen.
  const condition = stored ? { ifMatch: stored.etag } : { ifAbsent: true };
  await consulate.settings.set("organisation", HEADLINE, part["new-headline"].value, condition);
  await readHeadline();
  notify(part.notice, "good", "Saved", "Everybody at Acme reads this headline now.");
}

function start() {
  if (!embedded) {
    part.widget.hidden = true;
    notify(part.notice, ...HOMELESS);
    return;
  }
  part.show.addEventListener("click", () => busy(part.show, show, failed));
  part["headline-form"].addEventListener("submit", (event) => {
    event.preventDefault();
    busy(part["keep-headline"], keepHeadline, failed);
  });
  followHeight(part.content);
  setInterval(showLifetime, 1000);
  readHeadline().catch(failed);
}

start();
