/**
 * What the command line reaches the world with.
 *
 * @module
 */

import { connectClientTransport } from "../../transport/connect/mod.ts";
import { ConnectRemote } from "./connect_remote.ts";
import { fileLogTools } from "./log_tools.ts";
import type { Services } from "./session.ts";

/** Real servers, real folders. */
export function systemServices(): Services {
  return {
    connect: (endpoints) => new ConnectRemote({ endpoints, client: connectClientTransport() }),
    log: fileLogTools(),
  };
}
