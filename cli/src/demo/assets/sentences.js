// Turns log lines into sentences. Pure: lines in, a story out. Fields it does not know are left to the folded list.

const STATUS_READ = "Connection status read";
const PREFLIGHT = "CORS preflight answered";
const PAGE_FILES_READ = "Style and script of our page read";
const CLIENT_READ = "Browser client read";

// What a request to the connect function was about, by method and route: its title, and what was done.
const CONNECT = [
  [/^POST .*\/connections\/[^/]+\/connect$/, "A connect link was made", "link", "One-time ticket made for this caller, good for five minutes"],
  [/^POST .*\/connections\/[^/]+\/complete$/, "The connection was completed", "check", "Completion taken from the caller who asked for it, once"],
  [/^GET .*\/v1\/connect\/assets\//, PAGE_FILES_READ, "dot", "Served"],
  [/^GET .*\/v1\/consulate(\.classic|\.credentials)?\.js$/, CLIENT_READ, "dot", "Served: the same file to every page"],
  [/^GET .*\/v1\/connected$/, "The connect window told the widget how it went", "check", "Result page served: no code, state or ticket in its address"],
  [/^GET .*\/v1\/connect\/[^/]+$/, "The connect window was opened", "link", "Ticket tied to this browser by a cookie of its own"],
  [/^POST .*\/v1\/connect\/[^/]+$/, "The connect window proved who asked", "person", "Cookie, form value and caller JWT belong together: on to the provider with PKCE and a one-time state"],
  [/^GET .*\/v1\/callback\/[^/]+$/, "The provider sent the person back", "check", "One-time state consumed, this browser's flow cookie checked"],
  [/^PUT .*\/connections\/[^/]+$/, "A credential was typed", "key", "What was typed goes to the custodian once, to be tried and sealed"],
  [/^DELETE .*\/connections\/[^/]+$/, "The account was disconnected", "cut", "Connection marked unusable from now on"],
  [/^GET .*\/connections(\/[^/]+)?$/, STATUS_READ, "save", "Caller JWT verified, connection read"],
];

const REFUSALS = {
  authentication_required: "No usable account is connected",
  caller_unauthenticated: "The caller JWT was refused",
  caller_forbidden: "This caller may not do that",
  params_invalid: "A param was refused",
  refresh_busy: "Another renewal is under way",
  template_unknown: "There is no template of that name",
  upstream_refused: "The API refused the request",
  upstream_malformed: "The API's answer could not be understood",
  upstream_unreachable: "The API could not be reached",
  upstream_timeout: "The API did not answer in time",
  handshake_refused: "The handshake was refused",
  completion_forbidden: "Another caller tried to complete: refused",
  ticket_spent: "This connect link was used already",
  delivery_refused: "This access token is never handed to a browser",
  setting_unknown: "Nothing is kept under this key",
  precondition_failed: "Somebody else has changed it meanwhile",
  quota_exceeded: "There is no room for more",
  value_too_large: "The value is too large",
};

const SOURCES = {
  cache: ["lock", "good", "Access token still open in memory (15 seconds at most)"],
  row: ["lock", "good", "Access token opened from its sealed row"],
  refreshed: ["renew", "warn", "Access token had expired: the custodian renewed it first"],
};

/** `refresh_busy` → `refresh busy`. */
const plain = (name) => String(name).replaceAll("_", " ");
const isGood = (status) => status >= 200 && status < 400;
const tone = (status) => (isGood(status) ? "good" : "bad");
const answered = (status) => (status === undefined ? "" : `: ${status}`);

function step(line, icon, stepTone, text) {
  return { by: line.function, icon, tone: stepTone, text };
}

function refusal(line) {
  if (!line.code) return [];
  const reason = line.reason ? ` (${plain(line.reason)})` : "";
  return [step(line, "stop", "bad", `${REFUSALS[line.code] ?? plain(line.code)}${reason}`)];
}

const isDelivery = (line) => /\/access-token$/.test(line.route ?? "");

function proxySteps(line) {
  const steps = [];
  if (line.code === "caller_unauthenticated") return refusal(line);
  steps.push(step(line, "person", "good", "Caller JWT verified"));
  if (line.source || line.upstream_status) {
    const connection = line.auth_key ? `Connection "${line.auth_key}" of this caller read` : "Connection of this caller read";
    steps.push(step(line, "save", "", connection));
  }
  if (line.source) steps.push(step(line, ...(SOURCES[line.source] ?? ["lock", "", `Access token: ${plain(line.source)}`])));
  // The host is known before the call is allowed; where no access token was opened, nothing was injected.
  if (line.upstream_host && line.source) steps.push(step(line, "key", "good", `Credential injected for ${line.upstream_host}, and for no other host`));
  if (isDelivery(line) && !line.code) steps.push(step(line, "send", "warn", "Handed to the widget: its bundle and its passport allow that"));
  if (line.upstream_status) steps.push(step(line, "send", tone(line.upstream_status), `The API answered ${line.upstream_status}`));
  return [...steps, ...refusal(line)];
}

// Where a security token came from.
const SECURITY_TOKENS = {
  minted: [["key", "good", "Qrvey asked with the API key, which the browser never sees"], ["send", "good", "Security token answered, kept in memory until a newer one is due"]],
  cache: [["lock", "good", "The same request was answered a moment ago: that token serves"]],
  kept: [["lock", "warn", "Qrvey does not answer: a token that is still good serves on"]],
};

function qrveySteps(line) {
  if (line.code === "caller_unauthenticated") return refusal(line);
  const steps = [step(line, "person", "good", "Caller JWT verified")];
  if (line.source) steps.push(step(line, "person", "good", `Template "${line.template}" filled in for this caller`));
  for (const told of SECURITY_TOKENS[line.source] ?? []) steps.push(step(line, ...told));
  return [...steps, ...refusal(line)];
}

// What a request to the settings function did.
const SETTINGS = {
  GET: ["A setting was read", "save", "Opened from its sealed item"],
  PUT: ["A setting was kept", "save", "Sealed, and bound to its owner and version"],
  DELETE: ["A setting was forgotten", "cut", "Deleted with its share of the quota"],
};

const SETTINGS_LISTED = "Settings read";
const isList = (line) => line.method === "GET" && /\/settings\/[^/]+$/.test(line.route ?? "");

function settingsSteps(line) {
  if (line.code === "caller_unauthenticated") return refusal(line);
  const [, symbol, done] = SETTINGS[line.method] ?? ["", "save", ""];
  const whose = line.scope === "organisation" ? "Caller JWT verified; the organisation's settings" : "Caller JWT verified; this person's own settings";
  const none = line.code === "setting_unknown";
  if (none) return [step(line, "person", "good", whose), step(line, "dot", "", REFUSALS[line.code])];
  return [step(line, "person", "good", whose), ...(line.code ? refusal(line) : [step(line, symbol, "good", done)])];
}

function connectAction(line) {
  const asked = `${line.method ?? ""} ${line.route ?? ""}`;
  if (line.status === 303 && asked.startsWith("GET ") && asked.includes("/v1/connect/")) {
    return { title: "The connect link was followed", symbol: "link", done: "Ticket consumed: on to the provider with PKCE and a one-time state" };
  }
  if (line.method === "DELETE" && line.outcome === "not_connected") {
    return { title: "The account was to be disconnected", symbol: "cut", done: "There was no connection to end" };
  }
  const known = CONNECT.find(([pattern]) => pattern.test(asked));
  const [, title, symbol, done] = known ?? [null, `Request to ${line.route ?? "an unknown address"}`, "dot", `Answered ${line.status ?? ""}`];
  return { title, symbol, done };
}

const CAME_BACK_WELL = ["connected", "awaiting_completion"];

function connectSteps(line) {
  if (line.code) return refusal(line);
  const { symbol, done } = connectAction(line);
  const steps = [step(line, symbol, "good", done)];
  const cameBack = /^GET .*\/v1\/callback\//.test(`${line.method ?? ""} ${line.route ?? ""}`);
  if (cameBack && !CAME_BACK_WELL.includes(line.outcome)) {
    steps.push(step(line, "stop", "bad", `Nothing was connected (${plain(line.outcome ?? "no outcome")})`));
  }
  return steps;
}

// What the custodian's answer means, where it is not plain success.
const OUTCOMES = {
  in_progress: ["warn", "Somebody else is renewing it: the row will tell"],
  back_off: ["warn", "Not now: it may be tried again shortly"],
  flow_spent: ["bad", "This flow was used already"],
  provider_refused: ["bad", "The provider refused"],
  provider_unavailable: ["bad", "The provider did not answer"],
  misconfigured: ["bad", "Our own settings are wrong: an operator has to look"],
  authentication_required: ["bad", "The account has to be connected again"],
  unavailable: ["bad", "Storage or secrets do not answer"],
};

const outcomeOf = (line) => line.outcome ?? line.answer?.outcome;

// `provider_status` is there whenever the provider was asked.
const CUSTODIAN = {
  exchange: (line) => [
    step(line, "send", tone(line.provider_status ?? 200), `Authorization code exchanged at the token endpoint${answered(line.provider_status)}`),
    ...(line.account_named ? [step(line, "person", "good", "Profile read with the new access token, to name the account")] : []),
    ...(outcomeOf(line) === "awaiting_completion" ? [step(line, "lock", "", "Tokens sealed, of no use until the same caller completes")] : saved(line, "Tokens sealed and saved")),
  ],
  complete: (line) => saved(line, "The sealed tokens came into use"),
  abandon: (line) => [step(line, "cut", "", "A grant that nobody may use was given up")],
  refresh: (line) => {
    if (line.provider_status === undefined) return [step(line, "save", "good", "The row held a newer access token already")];
    return [
      step(line, "lock", "", "Lease on the connection claimed: nobody else may renew it now"),
      step(line, "renew", tone(line.provider_status), `Refresh token presented at the token endpoint${answered(line.provider_status)}`),
      ...saved(line, "New tokens sealed and saved"),
    ];
  },
  revoke: (line) => {
    const result = line.revocation ?? line.answer?.receipt?.result ?? line.outcome;
    return [step(line, "cut", "good", `Revocation asked of the provider${answered(line.provider_status)}${result ? ` (${plain(result)})` : ""}`)];
  },
};

function custodianSteps(line) {
  const [kind, words] = OUTCOMES[outcomeOf(line)] ?? [];
  const told = !words || line.provider_status !== undefined ? CUSTODIAN[line.event](line) : [];
  if (!words) return told;
  const why = line.answer?.reason ?? line.answer?.error ?? line.provider_error;
  return [...told, step(line, kind === "warn" ? "dot" : "stop", kind, why ? `${words} (${plain(why)})` : words)];
}

function saved(line, text) {
  if (OUTCOMES[outcomeOf(line)]) return [];
  const version = line.version ?? line.answer?.version;
  return [step(line, "save", "good", version === undefined ? text : `${text} as version ${version}`)];
}

// What happened to a connection, said after the write that makes it true.
const HAPPENINGS = {
  "connection.connected": ["check", "good", "The connection is on record: it can be used from now on"],
  "connection.needs_reauthorisation": ["stop", "bad", "The person has to connect again"],
  "connection.recovered": ["renew", "good", "A renewal of unknown fate has come to a good end"],
  "connection.disconnected": ["cut", "good", "The connection has ended, with a receipt"],
  "connection.revocation_gave_up": ["stop", "bad", "The provider never confirmed the revocation; the tokens are deleted here"],
  "connection.reauthorise_soon": ["dot", "warn", "The person will have to connect again soon"],
};

const isAboutConnections = (line) => (line.what ?? "").startsWith("connection.");

function auditSteps(line) {
  if (!isAboutConnections(line)) {
    const [where, what] = (line.what ?? "somebody.something").split(".");
    const who = where === "console" ? "In the console" : "By the command";
    return [step(line, "dot", "", `${who}: ${plain(what ?? where)}${line.subject ? ` (${line.subject})` : ""}`)];
  }
  const [symbol, kind, text] = HAPPENINGS[line.what] ?? ["dot", "", `${plain(line.what ?? "something happened").replace("connection.", "Connection: ")}`];
  const more = line.reason ?? line.revocation ?? line.reauthorise_by;
  const shared = line.shared_account ? ". Another connection uses the same account" : "";
  return [step(line, symbol, kind, `${text}${more ? ` (${plain(more)})` : ""}${shared}`)];
}

// What the custodian does by itself.
const ROUNDS = {
  tick: ["The schedule ticked", "Rows whose slot this minute is were looked for, to renew them ahead of time"],
  attend: ["A share of the schedule was worked off", "Rows that are due were renewed, the others left alone"],
  salvage: ["An answer was landed late", "What the table did not take at first was stored under the same condition"],
  keys: ["An issuer's keys were fetched", "Kept for five minutes, to verify callers with"],
};

function otherSteps(line) {
  const outcome = line.outcome ? `: ${plain(line.outcome)}` : "";
  const bad = line.level === "error" || line.level === "warn";
  const [, round] = ROUNDS[line.event] ?? [];
  const told = round ?? line.circuit ?? plain(line.event ?? "event");
  return [step(line, "dot", bad ? "bad" : "", `${told}${outcome}`)];
}

function stepsOf(line) {
  if (line.event === "request" && line.function === "proxy") return proxySteps(line);
  if (line.event === "request" && line.function === "connect") return connectSteps(line);
  if (line.event === "request" && line.function === "qrvey-token") return qrveySteps(line);
  if (line.event === "request" && line.function === "settings") return settingsSteps(line);
  if (line.event === "audit") return auditSteps(line);
  const said = CUSTODIAN[line.event] ? custodianSteps(line) : otherSteps(line);
  return [...said, ...refusal(line)];
}

function titleOf(line) {
  if (line.method === "OPTIONS") return PREFLIGHT;
  if (line.event === "request" && line.function === "settings") return isList(line) ? SETTINGS_LISTED : SETTINGS[line.method]?.[0] ?? "A request about settings";
  if (line.event === "request" && line.function === "proxy" && isDelivery(line)) return "The widget asked for the access token itself";
  if (line.event === "request" && line.function === "proxy") return `The widget called ${line.api ?? "an API"}`;
  if (line.event === "request" && line.function === "connect") return connectAction(line).title;
  if (line.event === "request" && line.function === "qrvey-token") return "The dashboard asked for a security token";
  const titles = { exchange: "A code was exchanged", complete: "A connection was activated", refresh: "An access token was due for renewal", revoke: "A grant was due for revocation" };
  if (line.event === "audit") return isAboutConnections(line) ? "A connection changed" : "An administrator did something";
  return titles[line.event] ?? ROUNDS[line.event]?.[0] ?? `${line.function ?? "server"}: ${plain(line.event ?? "event")}`;
}

// A request is logged at its end, after what it asked of the custodian. Told in the order of events: connect checks,
// then asks the custodian; proxy has an access token renewed before it injects it.
function inOrder(lines) {
  const request = lines.find((line) => line.event === "request");
  // What happened to a connection is written before the line of the invoke that made it happen.
  const others = lines.filter((line) => line !== request);
  const asked = [...others.filter((line) => line.event !== "audit"), ...others.filter((line) => line.event === "audit")].flatMap(stepsOf);
  if (!request) return asked;
  const own = stepsOf(request);
  const renewed = own.findIndex((one) => one.icon === "renew");
  const before = request.function === "connect" && !request.code ? 1 : renewed + 1;
  return [...own.slice(0, before), ...asked, ...own.slice(before)];
}

/** The custodian event that this request waited for, where it waited for one. */
export function invoked(line) {
  if (line.event !== "request") return undefined;
  if (line.source === "refreshed") return "refresh";
  const asked = `${line.method ?? ""} ${line.route ?? ""}`;
  if (/^GET .*\/v1\/callback\//.test(asked)) return "exchange";
  if (/^POST .*\/complete$/.test(asked)) return "complete";
  return /^DELETE .*\/connections\//.test(asked) && line.outcome !== "not_connected" ? "revoke" : undefined;
}

/**
 * The story of one request: `{title, minor, tone, time, milliseconds, steps: [{by, icon, tone, text}]}`. `minor`
 * stories (a preflight, a status read that went well, a page's own files) are folded together by the timeline.
 */
export function tell(lines) {
  const main = lines.find((line) => line.event === "request") ?? lines.find((line) => line.event !== "audit") ?? lines[0];
  const steps = inOrder(lines);
  const title = titleOf(main);
  return {
    title,
    minor: [STATUS_READ, PREFLIGHT, PAGE_FILES_READ, CLIENT_READ, SETTINGS_LISTED, ROUNDS.tick[0]].includes(title) && lines.length === 1 && !main.code,
    tone: steps.some((one) => one.tone === "bad") ? "bad" : steps.some((one) => one.tone === "warn") ? "warn" : "good",
    time: main.time,
    milliseconds: main.duration_ms,
    steps,
  };
}
