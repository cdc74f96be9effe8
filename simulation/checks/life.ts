/**
 * The knowledge of the checks about each process of a node.
 */

import type { RaftView } from "../../lib/node/types.ts";
import type { NodeId, SnapshotMeta } from "../../lib/raft/types.ts";
import type { DurableRecord } from "./durable_record.ts";

/** One process of a node, as the checks see it. */
export interface Life {
  readonly name: NodeId;
  readonly incarnation: string;
  readonly record: DurableRecord;
  /** The node's view; `null` before it has started. */
  view: RaftView | null;
  /** Its state at the last check. */
  seen: Seen | null;
  /** The last command applied, or all that a restored snapshot covers. */
  lastApplied: number;
  /** A snapshot from the leader that was opened to be restored. */
  opened: SnapshotMeta | null;
  /** The terms of the entries that it has taken for committed, if nodes are checked by themselves. */
  readonly committed: number[];
}

/** The state that is compared from one check to the next. */
export interface Seen extends Pick<RaftView, "term" | "commitIndex" | "lastIndex" | "membershipIndex" | "membership"> {
  readonly lastTerm: number | undefined;
  readonly leading: boolean;
}
