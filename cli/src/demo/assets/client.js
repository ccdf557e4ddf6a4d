// The widgets' Consulate client: the real one, served by Consulate, with the caller JWT that the host page hands out.
// A widget in the wild writes the same two statements, with its own address and its host's SDK.

import { createConsulate, defineConnectElement } from "{{BASE_URL}}/v1/consulate.js";
import { callerJwt } from "./host-link.js";

export const baseUrl = "{{BASE_URL}}";
export const consulate = createConsulate({ baseUrl, widget: "demo", getCallerJwt: callerJwt });

/** Registers `<consulate-connect>`. */
export const defineElement = () => defineConnectElement({ consulate });
