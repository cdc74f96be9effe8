/**
 * What the tabs and workers of one cluster tell each other beside Raft: what
 * each node looks like, the state of the links, and what somebody wants done
 * with a node of another tab. Raft itself never depends on any of it.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { Happening, LinkView, MessageView, NodeView } from "../source.ts";
import type { PlainError } from "./plain_error.ts";

/** A node as its host reports it; whose page that is depends on who looks. */
export interface NodeReport {
  /** The page that runs it. */
  readonly page: string;
  /** One life of one worker: what a dead worker said last must not count after its death. */
  readonly run: string;
  readonly view: Omit<NodeView, "home">;
}

/** What a node's page can be asked for. `retire`: it has left the cluster, and its disk goes with it. */
export type HostOperation =
  | { readonly type: "kill" | "restart" | "wipe" | "retire" }
  | { readonly type: "pause"; readonly paused: boolean };

/** What is said on the channel. */
export type Observation =
  | {
    readonly type: "report";
    readonly report: NodeReport;
    /** What its own links do, where that is anything but their duty; `null` if it can't tell. */
    readonly links: readonly LinkView[] | null;
    readonly messages: readonly MessageView[];
    readonly happened: readonly Happening[];
  }
  /** From now on the link does this. */
  | { readonly type: "links"; readonly links: readonly LinkView[] }
  /** The node has left the cluster, and nothing is left of it. */
  | { readonly type: "gone"; readonly id: NodeId }
  /** The page closes, and its nodes with it. */
  | { readonly type: "left"; readonly page: string }
  | {
    readonly type: "ask";
    readonly ask: string;
    readonly page: string;
    readonly node: NodeId;
    readonly operation: HostOperation;
  }
  | { readonly type: "answer"; readonly ask: string; readonly error: PlainError | null };

/** Hears and says observations of one cluster. */
export class ObservationChannel {
  readonly #channel: BroadcastChannel;

  constructor(cluster: string, hear: (observation: Observation) => void) {
    this.#channel = new BroadcastChannel(`raft-demo:${cluster}`);
    this.#channel.onmessage = ({ data }: MessageEvent<Observation>) => hear(data);
  }

  /** Tells all other tabs and workers. */
  say(observation: Observation): void {
    this.#channel.postMessage(observation);
  }
}

/** The clock of all tabs and workers of this machine, in milliseconds. */
export function machineMs(): number {
  return performance.timeOrigin + performance.now();
}

/** How often a node is told of when nothing changes. */
export const REPORT_INTERVAL_MS = 500;
/** Nobody has told of the node for so long: its tab is gone, or asleep. */
export const AWAY_AFTER_MS = 2500;
