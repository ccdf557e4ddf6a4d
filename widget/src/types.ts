/**
 * The shapes of the client's public side. What travels over HTTP keeps Consulate's spelling (snake_case), the Appspace envelope
 * keeps Appspace's. No code.
 */

import type { ConsulateError } from "./error.js";

/** How a connection stands. */
export type Status = "not_connected" | "pending" | "connected" | "needs_reauthorisation" | "disconnected";

/** A word the server may add to; the listed ones are known today. */
type Open<Known extends string> = Known | (string & {});

/** Why an account has to be connected (again). */
export type Reason = Open<
  | "not_connected"
  | "not_bound"
  | "disconnected"
  | "provider_refused"
  | "rotation_lost"
  | "config_changed"
  | "missing_scopes"
  | "idle_revoked"
>;

/** What became of the grant at the provider. */
export interface Revocation {
  result: Open<"revoked" | "already_gone" | "provider_has_none" | "gave_up" | "pending">;
  /** RFC 3339. */
  at: string;
  attempts: number;
}

/** Who the connected account is, as far as the provider says. */
export interface Account {
  id: string | null;
  email: string | null;
  name: string | null;
}

/** One authentication of the widget, as it stands for the caller. Times are RFC 3339. */
export interface Connection {
  auth_key: string;
  label: string;
  provider: string;
  passport: string | null;
  owner: "user" | "organisation";
  delivery: "server" | "browser";
  /** What has to be typed to connect; absent where the provider asks for consent. */
  credential?: { kind: string; fields: { name: string; label: string; secret: boolean; optional: boolean }[] };
  status: Status;
  reason: Reason | null;
  account: Account | null;
  scopes: string[];
  connected_at: string | null;
  expires_at: string | null;
  reauthorise_by: string | null;
  revocation: Revocation | null;
  apis: { name: string; status: Open<"usable" | "missing_scopes" | "needs_reauthorisation" | "not_connected">; missing_scopes: string[] }[];
}

/** The receipt of a disconnect. */
export interface Disconnected {
  status: "disconnected" | "not_connected";
  revocation: Revocation | null;
}

/** What fills a named API's placeholders; what fills none becomes a query parameter. */
export type Params = Record<string, string | number | boolean | readonly (string | number | boolean)[] | undefined>;

/** What the named API answered, as Appspace wraps it. */
export interface Envelope<Body = any> {
  statusCode: number;
  /** Parsed JSON, text, or base64 where `isBase64Encoded` says so. */
  body: Body;
  headers: Record<string, string>;
  contentType: string | null;
  /** The API answered 2xx. */
  isSuccess: boolean;
  isBase64Encoded?: boolean;
  /** The API said "too many calls"; `retryAfterSeconds` where it said for how long. */
  isThrottled?: boolean;
  retryAfterSeconds?: number;
}

/** What `callAuthenticatedAPI` resolves to. `status` is Consulate's, `data.statusCode` the API's. */
export interface AppspaceResponse<Body = any> {
  status: number;
  statusText: string;
  data: Envelope<Body>;
}

/** `signal` gives up waiting: the promise is rejected with the signal's reason. */
export interface Abortable {
  signal?: AbortSignal | undefined;
}

/** Options of a named call: `params`, and nothing that the definition fixes. */
export interface CallOptions extends Abortable {
  params?: Params;
}

/** How far connecting has come. */
export type ConnectProgress =
  /** The connect window shows Consulate's page: the person goes on there. */
  | { step: "waiting" }
  /** The browser refused the window: show `url` as a link, and call `open` in its click (false: let the link do it). */
  | { step: "blocked"; url: string; open: () => boolean }
  /** The window is closed, or its tie to this page was cut: nobody can tell which, so waiting goes on. */
  | { step: "window_closed" };

/** Options of `connect`. */
export interface ConnectOptions extends Abortable {
  /** `popup` unless said otherwise. `redirect` leaves this page (from a frame: opens a tab) and needs no tie between windows. */
  mode?: "popup" | "redirect";
  /** Redirect mode: one of the widget's `return_urls`, byte for byte. This page's address, without fragment, unless said otherwise. */
  returnTo?: string;
  /** Without it a blocked window rejects with `popup_blocked`. */
  onProgress?: (progress: ConnectProgress) => void;
}

/** A Qrvey security token with its instance, to spread into a Qrvey widget's settings. */
export interface QrveyConfig {
  domain: string;
  qv_token: string;
  qvToken: string;
  expires_at: string;
  refresh_after: string;
}

/** Options of `qrveyConfig`. `signal` also ends the renewing. */
export interface QrveyOptions extends Abortable {
  /** Choices among the values that the template lists. */
  params?: Record<string, string>;
  /** Called with every new config, from `refresh_after` of the last one on. Qrvey renews nothing in place: build the widget again. */
  onRenew?: (config: QrveyConfig) => void;
  /** Called when a renewal failed; it is tried again. */
  onError?: (error: ConsulateError) => void;
}

/** A provider's short-lived access token (`"delivery":"browser"` only). Keep it in memory. */
export interface AccessToken {
  access_token: string;
  token_type: "Bearer";
  expires_at: string;
}

/** Whose settings. */
export type SettingsScope = "user" | "organisation";

/** JSON, as settings hold it. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** One stored value and the version that it is. */
export interface Setting<Value = Json> {
  value: Value;
  etag: string | null;
}

/** The widget's private key-value storage on the server. */
export interface Settings {
  /** The value under `key`, or null. */
  get<Value = Json>(scope: SettingsScope, key: string, options?: Abortable): Promise<Setting<Value> | null>;
  /**
   * Stores `value`; answers its etag. With `ifMatch` only over that version, with `ifAbsent` only where nothing is: else the
   * promise is rejected with `precondition_failed`.
   */
  set(scope: SettingsScope, key: string, value: Json, options?: Abortable & { ifMatch?: string; ifAbsent?: boolean }): Promise<{ etag: string | null }>;
  /** Forgets `key`; what is not there is forgotten already. */
  delete(scope: SettingsScope, key: string, options?: Abortable & { ifMatch?: string }): Promise<void>;
  /** One page of what is stored; `next` is the `cursor` of the page after it, null on the last one. */
  list(scope: SettingsScope, options?: Abortable & { cursor?: string }): Promise<SettingsPage>;
}

/** A page of settings. */
export interface SettingsPage {
  settings: { key: string; value: Json; etag: string; updated_at: string }[];
  next: string | null;
}

/** Where caller JWTs come from. */
export interface CallerJwtSource {
  /** A JWT that says who the caller is: the host application's. Asked for when one is needed, never stored anywhere. */
  getCallerJwt: () => string | Promise<string>;
  /** A JWT good for one request, for hosts that insist on that where something changes. A new one for each such request. */
  getOneTimeJwt?: () => string | Promise<string>;
}

/** Options of `createConsulate`. */
export interface ConsulateOptions extends CallerJwtSource {
  /** The public address of Consulate. */
  baseUrl: string;
  /** The widget's id. */
  widget: string;
}

/** The client of one widget. */
export interface Consulate {
  /** Calls an API the widget declares. Resolves whenever the API answered; look at `data.isSuccess`. */
  callAuthenticatedAPI<Body = any>(name: string, options?: CallOptions): Promise<AppspaceResponse<Body>>;
  /** Connects an account. Call it in the click itself, before any `await`: browsers open windows only there. */
  connect(authKey: string, options?: ConnectOptions): Promise<Connection>;
  /**
   * Connects an account whose credential is typed: `credential.fields` of its status says which names there are. It goes to
   * the server once (again only where the caller JWT was refused) and never comes back. After a `retryable` error the status says
   * whether it was kept; refused with `request_invalid` and `problem.field` where the provider does not accept it.
   */
  typeCredential(authKey: string, typed: Record<string, string>, options?: Abortable): Promise<Connection>;
  /** Redirect mode's last step, on the page of `returnTo`. Null where the address brings nothing. */
  completeRedirect(options?: Abortable): Promise<Connection | null>;
  /** Disconnects, and says what became of the grant. */
  disconnect(authKey: string, options?: Abortable): Promise<Disconnected>;
  /** Every authentication of the widget. */
  connections(options?: Abortable): Promise<Connection[]>;
  /** One of them. */
  connection(authKey: string, options?: Abortable): Promise<Connection>;
  /** Calls back whenever a connection is seen to stand otherwise than before. Answers the function that stops it. */
  onChange(listener: (connection: Connection) => void): () => void;
  /** A Qrvey security token by the name of its template; kept in memory until `refresh_after`. */
  qrveyConfig(name: string, options?: QrveyOptions): Promise<QrveyConfig>;
  /** The provider's access token, where the bundle and the passport allow handing it out. */
  accessToken(authKey: string, options?: Abortable): Promise<AccessToken>;
  /** Private storage. */
  readonly settings: Settings;
}
