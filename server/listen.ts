/**
 * One port for everything: HTTP/1.1 and HTTP/2 in clear text (h2c).
 */

import type { Listener, ListenOptions } from "./listener.ts";

/**
 * Listens with the means of the runtime: `Deno.serve`, or node:http and
 * node:http2 under Node and Bun.
 *
 * @throws {Error} with a message for the user, such as that the port is in use.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  if ("Deno" in globalThis) {
    const { listenDeno } = await import("./listen_deno.ts");
    return listenDeno(options);
  }
  const { listenNode } = await import("./listen_node.ts");
  return await listenNode(options);
}
