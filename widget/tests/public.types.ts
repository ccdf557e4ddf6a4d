/**
 * The public types, as a widget written in TypeScript meets them: through the package's own `exports`. Only compiled; a line under
 * `@ts-expect-error` must not compile.
 */

import {
  type Connection,
  type Consulate,
  ConsulateError,
  createConsulate,
  defineConnectElement,
  fromHappeo,
  installAppspaceShim,
  type QrveyConfig,
} from "consulate-widget";
import { credentialForm } from "consulate-widget/credentials";

const consulate: Consulate = createConsulate({ baseUrl: "https://c.example", widget: "w", getCallerJwt: async () => "a.b.c" });
createConsulate({ baseUrl: "https://c.example", widget: "w", getCallerJwt: () => "a.b.c", getOneTimeJwt: () => "a.b.c" });
// @ts-expect-error: somebody has to say who the caller is
createConsulate({ baseUrl: "https://c.example", widget: "w" });
// @ts-expect-error: a JWT is text
createConsulate({ baseUrl: "https://c.example", widget: "w", getCallerJwt: () => 7 });

const sdk = { getJWT: async () => "a.b.c", getOneTimeJWT: async () => "a.b.c" };
createConsulate({ baseUrl: "https://c.example", widget: "w", ...fromHappeo(sdk, { oneTime: true }) });
createConsulate({ baseUrl: "https://c.example", widget: "w", ...fromHappeo({ api: sdk }) });
// @ts-expect-error: not Happeo's SDK
fromHappeo({ jwt: "a.b.c" });

export async function calls(signal: AbortSignal): Promise<void> {
  const response = await consulate.callAuthenticatedAPI<{ value: string[] }>("getEvents", { params: { from: "x", ids: [1, 2], all: true }, signal });
  const events: string[] = response.data.body.value;
  const status: number = response.status + response.data.statusCode;
  // @ts-expect-error: the definition fixes the method
  await consulate.callAuthenticatedAPI("getEvents", { method: "GET" });
  // @ts-expect-error: a param is no object
  await consulate.callAuthenticatedAPI("getEvents", { params: { filter: { a: 1 } } });
  // @ts-expect-error: the list may not be shown to hold numbers
  const numbers: number[] = response.data.body.value;
  console.log(events, status, numbers);
}

export async function connections(): Promise<void> {
  const one: Connection = await consulate.connect("acme", { mode: "popup", onProgress: (progress) => {
    if (progress.step === "blocked") progress.open();
    // @ts-expect-error: only a blocked window has an address to show
    else console.log(progress.url);
  } });
  // @ts-expect-error: there are two modes
  await consulate.connect("acme", { mode: "tab" });
  if (one.status === "connected") console.log(one.account?.name?.toUpperCase());
  // @ts-expect-error: a provider may have said no name
  console.log(one.account.name);
  // @ts-expect-error: no such status
  if (one.status === "ok") return;
  if (one.reason === "rotation_lost" || one.reason === "a word of next year") return;
  const back: Connection | null = await consulate.completeRedirect();
  const stop: () => void = consulate.onChange(({ auth_key }) => console.log(auth_key));
  stop();
  console.log(back, (await consulate.disconnect("acme")).revocation?.result);
}

export async function typed(): Promise<void> {
  const { status, credential } = await consulate.typeCredential("acme", { api_key: "k" });
  const names: string[] = credential?.fields.map(({ name }) => name) ?? [];
  // @ts-expect-error: what is typed is text
  await consulate.typeCredential("acme", { api_key: 7 });
  console.log(status, names);
}

export async function others(): Promise<void> {
  const config: QrveyConfig = await consulate.qrveyConfig("sales", { onRenew: ({ qvToken, qv_token }) => console.log(qvToken, qv_token), params: { region: "emea" } });
  // @ts-expect-error: identity is the server's to say
  await consulate.qrveyConfig("sales", { userid: "x" });
  const stored = await consulate.settings.get<{ columns: number }>("user", "layout");
  const columns: number | undefined = stored?.value.columns;
  await consulate.settings.set("organisation", "layout", { columns: 2 }, stored?.etag ? { ifMatch: stored.etag } : { ifAbsent: true });
  // @ts-expect-error: a function is no JSON
  await consulate.settings.set("user", "layout", () => 1);
  // @ts-expect-error: two scopes
  await consulate.settings.get("everybody", "layout");
  const { access_token, expires_at } = await consulate.accessToken("acme");
  console.log(config.domain, columns, access_token, Date.parse(expires_at));
}

export function errors(error: unknown): string | undefined {
  if (!(error instanceof ConsulateError)) return undefined;
  const retryAfter: number | undefined = error.retryAfterSeconds;
  // @ts-expect-error: an error is read, not written
  error.code = "other";
  return error.retryable || retryAfter ? error.code : (error.reason ?? error.authKey ?? error.requestId ?? error.problem?.detail);
}

installAppspaceShim(consulate);
defineConnectElement({ consulate, credentialForm });
// @ts-expect-error: a form is a function that draws one
defineConnectElement({ consulate, credentialForm: "form" });
defineConnectElement({ consulate, texts: { connect: "{name} verbinden", provider_refused: "Der Anbieter hat abgelehnt" } });
// @ts-expect-error: a text is text
defineConnectElement({ consulate, texts: { connect: 7 } });
const element = document.createElement("consulate-connect");
export const refreshed: Promise<void> = element.refresh();
