/**
 * The first message from a page to the worker of one of its nodes.
 */

import type { NodeId } from "../../mod.ts";
import type { NodeReport } from "../live/host_message.ts";
import type { LinkView } from "../source.ts";

/** The settings of a node. */
export interface NodeSettings extends Pick<NodeReport, "page" | "run"> {
  readonly id: NodeId;
  /** The name of the cluster, which names the channel of its tabs and workers. */
  readonly cluster: string;
  /** Keeps the data of one cluster apart from that of others at this origin. */
  readonly clusterId: string;
  /** The time to wait for a tab that still has the node's storage locked. */
  readonly lockWaitMs: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** The beginning of a node with an empty disk: it founds the cluster with others, or joins it. */
  readonly begin:
    | { readonly type: "found"; readonly founders: readonly NodeId[] }
    | { readonly type: "join"; readonly as: "voter" | "learner"; readonly through: readonly string[] };
  /** Connects the node to the relay, through the page; `null` for the channel of the origin. */
  readonly port: MessagePort | null;
  /** The state of its links. */
  readonly links: readonly LinkView[];
}
