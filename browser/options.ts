/**
 * The options of a node in a tab.
 */

import { RaftError } from "../lib/errors.ts";
import type { StorageError } from "../lib/errors.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";
import type { Storage } from "../lib/storage.ts";
import { tabAddress } from "../transport/tab/mod.ts";
import type { TabTransport } from "../transport/tab/mod.ts";
import type { PageEnd } from "./page_link.ts";

/** The options that `createIndexedDbStorage` and the transports take. */
export interface NodePlace {
  /** The cluster's name within the origin. */
  readonly clusterId: string;
  /** The node's name. */
  readonly nodeId: NodeId;
  /** The node's address for other nodes, by convention `tab:` and its name. */
  readonly address: string;
  /** Milliseconds to wait for the lock: after a reload, the previous page still holds it for a moment. */
  readonly lockWaitMs: number;
  /** Must be called once if the data is deleted under the node, which then stops. */
  readonly onLost: (error: StorageError) => void;
}

/** A node of a new cluster. */
export interface FirstMember {
  /** The node's name. */
  readonly id: NodeId;
  /** The node's address for other nodes. */
  readonly address: string;
}

/** Options of a node that joins a running cluster. */
export interface JoinOptions {
  /** The addresses of nodes to ask, tabs or servers; one that answers is enough. @default the peers that the transport knows */
  readonly through?: readonly string[];
  /** The role to take. A learner has no vote, so the loss of its tab does not block the cluster. @default "learner" */
  readonly as?: "learner" | "voter";
}

/** Options of {@linkcode startBrowserNode}: those of a RaftNode, and those of a tab. */
export interface BrowserNodeOptions
  extends Omit<RaftNodeOptions, "address" | "storage" | "loaded" | "transport" | "bootstrap" | "incarnation"> {
  /** The cluster's name within the origin; separates its storage and transport from those of other clusters. */
  readonly clusterId: string;
  /** The storage, loaded and closed by the node; or a function that creates it. */
  readonly storage: Storage | ((place: NodePlace) => Storage);
  /** The transport, started and closed by the node; or a function that creates it. */
  readonly transport: TabTransport | ((place: NodePlace) => TabTransport);
  /**
   * For an empty storage: all nodes of a new cluster, including this one; tabs by
   * their names alone. It starts once each of them was reached, with an empty storage
   * or as a node that knows this very storage. Ignored once there is data.
   */
  readonly bootstrap?: { readonly members: readonly (NodeId | FirstMember)[] };
  /** For an empty storage: ask to be added to a running cluster. */
  readonly join?: JoinOptions;
  /** The connection to its pages. @default the worker's global scope; none outside of a worker */
  readonly page?: PageEnd | null;
}

/** A terminated worker releases its lock within some milliseconds. */
const LOCK_WAIT_MS = 1000;

/** Returns the place of the node with these options. */
export function nodePlace({ clusterId, id }: BrowserNodeOptions, onLost: NodePlace["onLost"]): NodePlace {
  return { clusterId, nodeId: id, address: tabAddress(id), lockWaitMs: LOCK_WAIT_MS, onLost };
}

/** Returns the members of `bootstrap`, with their addresses. @throws {RaftError} `invalid_argument` if this node is missing */
export function firstMembers(options: BrowserNodeOptions): readonly FirstMember[] {
  const members = options.bootstrap?.members ?? [];
  const named = members.map((member) =>
    typeof member === "string" ? { id: member, address: tabAddress(member) } : member
  );
  if (named.some(({ id }) => id === options.id)) return named;
  throw new RaftError("invalid_argument", `the members of bootstrap do not include this node, ${options.id}`, {
    hint: "Name every node of the new cluster, or use join.",
  });
}

/** Checks the options. @throws {RaftError} `invalid_argument` */
export function checkOptions({ clusterId, id, bootstrap, join }: BrowserNodeOptions): void {
  const invalid = (message: string, hint: string) => new RaftError("invalid_argument", message, { hint });
  if (clusterId === "") throw invalid("a cluster needs a name", "Set clusterId.");
  if (id === "") throw invalid("a node needs a name", "Set id.");
  if (bootstrap !== undefined && join !== undefined) {
    throw invalid("bootstrap and join exclude each other", "Set one of them: a node starts a cluster or joins one.");
  }
  if (join?.through?.length === 0) throw invalid("join.through is empty", "Name the address of a node.");
}

/** Returns the addresses to join through: those of the options, else the peers that the transport knows. */
export function joinThrough({ join }: BrowserNodeOptions, transport: TabTransport): readonly string[] {
  return join?.through ?? transport.peers ?? [];
}

/** Returns the worker's own scope; `null` in a window, which would post to itself. */
export function workerScope(): PageEnd | null {
  const scope = globalThis as unknown as Partial<PageEnd>;
  return "document" in globalThis || scope.postMessage === undefined ? null : scope as PageEnd;
}
