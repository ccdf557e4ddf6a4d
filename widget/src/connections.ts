/** How connections stand: asks, remembers what was seen last, tells listeners what changed. Also ends connections. */

import type { ConsulateError } from "./error.js";
import type { Transport } from "./transport.js";
import type { Abortable, Connection, Consulate, Disconnected } from "./types.js";

/** The part of the client that knows connections. */
export interface Connections extends Pick<Consulate, "connections" | "connection" | "disconnect" | "onChange"> {
  /** Takes a status that came with another answer. */
  note(connection: Connection): Connection;
  /** A call failed: when that means that a connection has ended, look at it, so that listeners learn. */
  suspect(error: ConsulateError): void;
}

/** The address of one connection, below the widget's. */
export const pathOf = (authKey: string): string => `/connections/${encodeURIComponent(authKey)}`;

/** Over a transport. */
export function connectionsOf({ ask }: Transport): Connections {
  const seen = new Map<string, string>();
  const listeners = new Set<(connection: Connection) => void>();

  function note(connection: Connection): Connection {
    const text = JSON.stringify(connection);
    if (seen.get(connection.auth_key) !== text) {
      seen.set(connection.auth_key, text);
      // One listener's mistake is not the others', nor the caller's.
      for (const listener of listeners) queueMicrotask(() => listener(connection));
    }
    return connection;
  }

  const connection = async (authKey: string, options?: Abortable): Promise<Connection> =>
    note(await ask<Connection>({ path: pathOf(authKey), ...options }));
  /** For listeners' sake only. */
  const look = (authKey: string) => void connection(authKey).catch(() => {});

  return {
    note,
    connection,
    async connections(options) {
      return (await ask<{ connections: Connection[] }>({ path: "/connections", ...options })).connections.map(note);
    },
    async disconnect(authKey, options) {
      const disconnected = await ask<Disconnected>({ method: "DELETE", path: pathOf(authKey), ...options });
      look(authKey);
      return disconnected;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    suspect({ reason, authKey }) {
      // A missing scope is no change: the connection's status says it all along.
      if (reason && authKey && reason !== "missing_scopes" && seen.get(authKey)?.includes('"status":"connected"')) look(authKey);
    },
  };
}
