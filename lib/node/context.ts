/**
 * The surroundings that all parts of a node share.
 */

import type { RaftError } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { Storage } from "../storage.ts";
import type { NodeConfig } from "./config.ts";
import type { EventHub } from "./events.ts";

/** One node, as its parts see it. */
export interface NodeContext {
  readonly config: NodeConfig;
  readonly raft: Raft;
  readonly storage: Storage;
  readonly events: EventHub;
  /** Schedules a turn of the loop: the core may have something to send or to write. */
  wake(): void;
  /** Runs a call of the core, unless the node has ended, and returns its result; a broken invariant stops the node. */
  guard<T>(run: () => T): T | undefined;
  /** Stops the node for good (fail-stop). */
  stop(error: RaftError): void;
}
