/**
 * What a node in a tab is made of.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { StorageError } from "../lib/errors.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";
import type { Storage } from "../lib/storage.ts";
import { tabAddress } from "../transport/tab/mod.ts";
import type { TabTransport } from "../transport/tab/mod.ts";
import type { PageEnd } from "./page_link.ts";

/** What a node's storage and transport are made from: the options that `createIndexedDbStorage` and the transports take. */
export interface NodePlace {
  /** The cluster's name within the origin. */
  readonly clusterId: string;
  /** The node's name. */
  readonly nodeId: NodeId;
  /** Where others reach it, by convention: `tab:` and its name. */
  readonly address: string;
  /** A page that is reloaded finds the lock of its predecessor still held for a moment. In milliseconds. */
  readonly lockWaitMs: number;
  /** To be called once if the data are deleted under the node: it stops then. */
  readonly onLost: (error: StorageError) => void;
}

/** A node of a new cluster. */
export interface FirstMember {
  /** The node's name. */
  readonly id: NodeId;
  /** Where others reach it. */
  readonly address: string;
}

/** How a node comes into a cluster that runs. */
export interface JoinOptions {
  /** The addresses of nodes to ask, tabs or servers; one that answers is enough. @default whom the transport knows */
  readonly through?: readonly string[];
  /** A learner has no vote, so a tab that goes away holds nothing up. @default "learner" */
  readonly as?: "learner" | "voter";
}

/** Options of {@linkcode startBrowserNode}: those of a RaftNode, and what is a tab's own. */
export interface BrowserNodeOptions
  extends Omit<RaftNodeOptions, "address" | "storage" | "transport" | "bootstrap" | "incarnation"> {
  /** The cluster's name within the origin: what `storage` and `transport` are kept apart by. */
  readonly clusterId: string;
  /** Loaded and closed by the node; or how to open it. */
  readonly storage: Storage | ((place: NodePlace) => Storage);
  /** Started and closed by the node; or how to make it. */
  readonly transport: TabTransport | ((place: NodePlace) => TabTransport);
  /**
   * For an empty storage: the nodes that begin a new cluster together, this one
   * too; by name where they are tabs. It begins once every one of them was
   * reached, with an empty storage or as one that knows this very storage. Not
   * looked at once there is data.
   */
  readonly bootstrap?: { readonly members: readonly (NodeId | FirstMember)[] };
  /** For an empty storage: ask to be added to a cluster that runs. */
  readonly join?: JoinOptions;
  /** Where its pages are heard. @default the worker's global scope; nowhere if this is no worker */
  readonly page?: PageEnd | null;
}

/** A worker that was terminated lets go of its lock within some milliseconds. */
const LOCK_WAIT_MS = 1000;

/** Where the node of these options is. */
export function nodePlace({ clusterId, id }: BrowserNodeOptions, onLost: NodePlace["onLost"]): NodePlace {
  return { clusterId, nodeId: id, address: tabAddress(id), lockWaitMs: LOCK_WAIT_MS, onLost };
}

/** The members of `bootstrap`, with their addresses. @throws {RaftError} `invalid_argument` if this node is none */
export function firstMembers(options: BrowserNodeOptions): readonly FirstMember[] {
  const members = options.bootstrap?.members ?? [];
  const named = members.map((member) =>
    typeof member === "string" ? { id: member, address: tabAddress(member) } : member
  );
  if (named.some(({ id }) => id === options.id)) return named;
  throw new RaftError("invalid_argument", `The members of bootstrap don't name this node, ${options.id}.`, {
    hint: "Name every node of the new cluster, or use join.",
  });
}

/** @throws {RaftError} `invalid_argument` */
export function checkOptions({ clusterId, id, bootstrap, join }: BrowserNodeOptions): void {
  const invalid = (message: string, hint: string) => new RaftError("invalid_argument", message, { hint });
  if (clusterId === "") throw invalid("A cluster needs a name.", "Set clusterId.");
  if (id === "") throw invalid("A node needs a name.", "Set id.");
  if (bootstrap !== undefined && join !== undefined) {
    throw invalid("A node begins a cluster or joins one.", "Give bootstrap or join, not both.");
  }
  if (join?.through?.length === 0) throw invalid("Nobody is named to join through.", "Name the address of a node.");
}

/** The addresses to join through. A transport that knows who is there tells. */
export function joinThrough({ join }: BrowserNodeOptions, transport: TabTransport): readonly string[] {
  return join?.through ?? (transport as { readonly peers?: readonly string[] }).peers ?? [];
}

/** The worker's own scope. A window would post to itself. */
export function workerScope(): PageEnd | null {
  const scope = globalThis as unknown as Partial<PageEnd>;
  return "document" in globalThis || scope.postMessage === undefined ? null : scope as PageEnd;
}
