/** Every English sentence that `<consulate-connect>` says. */

/** By name; `{name}` is the authentication's label. An empty text hides what would say it. */
export const TEXTS = {
  connect: "Connect {name}",
  reconnect: "Reconnect {name}",
  disconnect: "Disconnect {name}",
  confirm: "Disconnect {name}?",
  cancel: "Cancel",
  link: "Open it here",
  loading: "…",
  not_connected: "Not connected",
  disconnected: "Disconnected",
  connected: "Connected",
  needs_reauthorisation: "Has to be connected again",
  missing_scopes: "Connected, but not for everything",
  typed: "Connected elsewhere",
  opening: "Opening a window",
  waiting: "Finish in the window",
  blocked: "Your browser blocked the window",
  window_closed: "The window is closed. Not finished? Cancel, and connect again",
  disconnecting: "Disconnecting",
  access_denied: "You said no: not connected",
  caller_forbidden: "Only administrators can change this",
};

/** Texts by name. Codes of errors may be added: what they do not name is said in the error's own (English) words. */
export type ConnectTexts = { [name in keyof typeof TEXTS]?: string } & Record<string, string | undefined>;
