/**
 * Opening a port under Node. Its event loop accepts one connection for each
 * listener in a turn, and a turn in which megabytes are decoded takes long. So
 * where the system can share a port (Linux, `SO_REUSEPORT`), several listeners do.
 */

import type * as net from "node:net";
import { BACKLOG } from "./listener.ts";
import type { ListenAddress } from "./addresses.ts";

/** The listeners of a port that can be shared. */
const LISTENERS = 8;

/** Lets a server listen. @param failed receives its later errors, of which one without a listener would end the process */
function listening(
  server: net.Server,
  { hostname, port }: ListenAddress,
  reusePort: boolean,
  failed: (error: Error) => void,
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: hostname, port, backlog: BACKLOG, reusePort }, () => {
      server.off("error", reject).on("error", failed);
      resolve(server);
    });
  });
}

/** Closes a server without connections. */
function closed(server: net.Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}

/**
 * Opens a port, with several servers if the system can share it among them.
 *
 * @param create makes one of the servers, which are all alike
 * @param failed receives their errors while they listen
 * @throws the system's error, if the port can't be opened
 */
export async function openPort(
  create: () => net.Server,
  address: ListenAddress,
  failed: (error: Error) => void,
): Promise<net.Server[]> {
  const servers: net.Server[] = [];
  if (!("Bun" in globalThis)) {
    // Another process that shares its port would not be noticed: first the port has to be free of listeners.
    if (address.port !== 0) await closed(await listening(create(), address, false, failed));
    let { port } = address;
    try {
      while (servers.length < LISTENERS) {
        const server = await listening(create(), { ...address, port }, true, failed);
        servers.push(server);
        port = (server.address() as net.AddressInfo).port;
      }
    } catch {
      // This Node, or this system, can't share a port.
    }
  }
  return servers.length > 0 ? servers : [await listening(create(), address, false, failed)];
}
