/** Puts the client together. Nothing is sent, and nothing of the page touched, before a method is called. */

import { connecting } from "./connect.js";
import { connectionsOf, pathOf } from "./connections.js";
import { ConsulateError } from "./error.js";
import { qrvey } from "./qrvey.js";
import { settingsOf } from "./settings.js";
import { transportOf } from "./transport.js";
import type { AccessToken, Connection, Consulate, ConsulateOptions, Envelope } from "./types.js";

/**
 * The client of one widget.
 *
 * @throws TypeError for options that cannot be used.
 */
export function createConsulate(options: ConsulateOptions): Consulate {
  const transport = transportOf(options, (error) => parts.suspect(error));
  const parts = connectionsOf(transport);
  const { connections, connection, disconnect, onChange } = parts;

  return {
    async callAuthenticatedAPI(name, { params, signal, ...others } = {}) {
      for (const other in others) throw new ConsulateError("request_malformed", `Only \`params\`, not \`${other}\``);
      const { status, statusText, document } = await transport.send<Envelope>({
        method: "POST",
        path: `/apis/${encodeURIComponent(name)}`,
        body: { params },
        reads: true,
        once: true,
        signal,
      });
      return { status, statusText, data: document };
    },
    ...connecting(transport, parts),
    connections,
    connection,
    disconnect,
    onChange,
    async typeCredential(authKey, body, options) {
      return parts.note(await transport.ask<Connection>({ method: "PUT", path: pathOf(authKey), body, alone: true, ...options }));
    },
    qrveyConfig: qrvey(transport),
    accessToken: (authKey, options) => transport.ask<AccessToken>({ path: `${pathOf(authKey)}/access-token`, ...options }),
    settings: settingsOf(transport),
  };
}
