/**
 * The access of the command line to clusters and folders.
 */

import { createConnectClientTransport } from "../../transport/connect/mod.ts";
import { ConnectRemote } from "./connect_remote.ts";
import { fileLogTools } from "./log_tools.ts";
import type { Services } from "./session.ts";

/** Access to real servers and folders. */
export const systemServices: Services = {
  connect: (endpoints) => new ConnectRemote({ endpoints, client: createConnectClientTransport() }),
  log: fileLogTools,
};
