/**
 * All mutants. `deno task mutants` proves that each is noticed.
 *
 * @module
 */

import { client } from "./client.ts";
import { databases } from "./databases.ts";
import { coordinator } from "./coordinator.ts";
import { durability } from "./durability.ts";
import { election } from "./election.ts";
import { files } from "./files.ts";
import { forwarding } from "./forwarding.ts";
import { keyValue } from "./key_value.ts";
import { membership } from "./membership.ts";
import { messages } from "./messages.ts";
import type { Mutant } from "./mutant.ts";
import { node } from "./node.ts";
import { peers } from "./peers.ts";
import { reads } from "./reads.ts";
import { replication } from "./replication.ts";
import { server } from "./server.ts";
import { snapshots } from "./snapshots.ts";
import { storage } from "./storage.ts";
import { streams } from "./streams.ts";
import { surroundings } from "./surroundings.ts";
import { transports } from "./transports.ts";

/** All mutants by topic, in the order of the table. */
export const mutants: readonly Mutant[] = [
  ...election,
  ...replication,
  ...peers,
  ...durability,
  ...membership,
  ...messages,
  ...snapshots,
  ...storage,
  ...files,
  ...databases,
  ...streams,
  ...forwarding,
  ...reads,
  ...client,
  ...node,
  ...coordinator,
  ...keyValue,
  ...transports,
  ...server,
  ...surroundings,
];
