/**
 * What a page tells the worker of one of its nodes before anything else.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { NodeReport } from "../live/observation.ts";
import type { LinkView } from "../source.ts";

/** How a node is to be started. */
export interface NodeSettings extends Pick<NodeReport, "page" | "run"> {
  readonly id: NodeId;
  /** The name of the cluster, by which tabs and workers find each other. */
  readonly cluster: string;
  /** By which this origin keeps the data of one cluster apart from that of another. */
  readonly clusterId: string;
  /** How long to wait for a tab that lets go of the node's storage. */
  readonly lockWaitMs: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** How it begins, if its disk is empty: with the other founders, or by joining as one that votes or listens. */
  readonly begin:
    | { readonly type: "found"; readonly founders: readonly NodeId[] }
    | { readonly type: "join"; readonly as: "voter" | "learner"; readonly through: readonly string[] };
  /** The way to the others, through the page; `null` for the channel of the origin. */
  readonly port: MessagePort | null;
  /** What its links do already. */
  readonly links: readonly LinkView[];
}
