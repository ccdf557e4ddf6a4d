/** Consulate's browser client. See README.md beside this folder. */

export { createConsulate } from "./consulate.js";
export { defineConnectElement } from "./element.js";
export type { ConnectElementOptions, ConsulateConnectElement } from "./element.js";
export { ConsulateError } from "./error.js";
export type { Problem } from "./error.js";
export { fromHappeo, installAppspaceShim } from "./hosts.js";
export type { HappeoWidgetApi } from "./hosts.js";
export type { ConnectTexts } from "./texts.js";
export type * from "./types.js";
