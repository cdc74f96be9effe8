/**
 * The messages between the tabs and workers of one cluster beside Raft: the state
 * of each node and of the links, and requests to the page that runs a node. Raft
 * itself depends on none of it.
 */

import type { NodeId, RaftErrorJson } from "../../mod.ts";
import type { ClusterEvent, LinkView, MessageView, NodeView } from "../source.ts";

/** A node as its page reports it. Its home is left out: it depends on the page that reads the report. */
export interface NodeReport {
  /** The page that runs it. */
  readonly page: string;
  /** One life of one worker: reports of a worker that was ended must not count. */
  readonly run: string;
  readonly view: Omit<NodeView, "home">;
}

/** In place of a page's name: nodes whose status this page has asked for. */
export const ASKED_SERVER = "server";
export const ASKED_TAB = "tab of another browser";

/** Reports whether no page reports that node, so that this page asks for its status. */
export function isAsked(page: string): boolean {
  return page === ASKED_SERVER || page === ASKED_TAB || page === "";
}

/** A request to a node's page: a method of its PageNodes. */
export type HostOperation = "start" | "kill" | "pause" | "resume" | "wipe" | "retire";

/** A message on the channel. */
export type HostMessage =
  | {
    readonly type: "report";
    readonly report: NodeReport;
    /** The node's own links that are cut, slow or lossy; `null` if they are not known. */
    readonly links: readonly LinkView[] | null;
    readonly messages: readonly MessageView[];
    readonly events: readonly ClusterEvent[];
  }
  /** The new state of links. */
  | { readonly type: "links"; readonly links: readonly LinkView[] }
  /** The node has left the cluster, and nothing is left of it. */
  | { readonly type: "gone"; readonly id: NodeId }
  /** The page closes, and its nodes with it. */
  | { readonly type: "left"; readonly page: string }
  | {
    readonly type: "call";
    readonly id: number;
    /** The page that asks, and the one that runs the node. */
    readonly from: string;
    readonly to: string;
    readonly node: NodeId;
    readonly operation: HostOperation;
  }
  | {
    readonly type: "answer";
    readonly id: number;
    readonly from: string;
    readonly to: string;
    readonly error: RaftErrorJson | null;
  };

/** Opens the channel of a cluster. Returns a function that sends a message to all other tabs and workers. */
export function openChannel(
  cluster: string,
  receive: (message: HostMessage) => void,
): (message: HostMessage) => void {
  const channel = new BroadcastChannel(`raft-demo:${cluster}`);
  channel.onmessage = ({ data }: MessageEvent<HostMessage>) => receive(data);
  return (message) => channel.postMessage(message);
}

/** Returns the time of the clock that all tabs and workers of this machine share, in milliseconds. */
export function machineMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The interval of reports of a node that does not change. */
export const REPORT_INTERVAL_MS = 500;
/** A node without a report for this long is away: its tab is closed, or asleep. */
export const AWAY_AFTER_MS = 2500;
