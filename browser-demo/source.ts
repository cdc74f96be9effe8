/**
 * What the view shows, and what it may ask for: the seam between a picture of a
 * cluster and the cluster. Live nodes are one source; a simulation, whose time
 * can be moved, may be another.
 *
 * @module
 */

import type { EntryType, Membership, Message, NodeId, RaftEvent, Role } from "../mod.ts";

/** How a node is. `paused`: it stands still, and may go on. `killed`: it may be started again, with its disk. */
export type Life = "starting" | "running" | "paused" | "stopped" | "killed" | "away";

/** Whose a node is: only what runs on this page can be killed here; `server` joined through the relay. */
export type Home = "this page" | "another tab" | "server";

/** An entry as the log shows it. */
export interface EntryView {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  /** What the command does, in a few words; empty for others. */
  readonly label: string;
}

/** A node at one moment. Times are milliseconds of {@linkcode ClusterSource.now}. */
export interface NodeView {
  readonly id: NodeId;
  readonly address: string;
  readonly home: Home;
  readonly life: Life;
  /** Why it is stopped or does not start; empty otherwise. */
  readonly lifeReason: string;
  readonly role: Role;
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly leader: NodeId | null;
  /** The votes of its own campaign. */
  readonly votes: readonly { readonly from: NodeId; readonly granted: boolean }[];
  /** When it last heard from a leader, and when it will campaign; `null` for a leader, and for who can't. */
  readonly electionTimer: { readonly startedMs: number; readonly dueMs: number } | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly snapshot: { readonly index: number; readonly term: number } | null;
  readonly membership: Membership;
  readonly membershipIndex: number;
  /** The newest entries, oldest first; as many as are worth showing. */
  readonly entries: readonly EntryView[];
  /** How a leader sees the others; empty elsewhere. */
  readonly progress: readonly {
    readonly id: NodeId;
    readonly matchIndex: number;
    readonly nextIndex: number;
    readonly state: "probe" | "replicate" | "snapshot";
  }[];
  /** When it was seen like this. */
  readonly seenMs: number;
}

/** A message on its way. */
export interface MessageView {
  /** Unique within the source. */
  readonly id: string;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly type: Message["type"];
  readonly term: number;
  /** The difference between a heartbeat and entries, a vote and a refusal, in a few words. */
  readonly label: string;
  /** AppendEntries without entries. */
  readonly heartbeat: boolean;
  /** An answer that says no. */
  readonly refusal: boolean;
  readonly sentMs: number;
  /** When it arrives. Real messages take less than a millisecond: the view draws them slower. */
  readonly arrivesMs: number;
  /** What becomes of it. */
  readonly fate: "delivered" | "lost" | "cut";
}

/** What a link does to what one node sends to another. */
export interface LinkView {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly cut: boolean;
  readonly delayMs: number;
  /** The chance that a message is lost, 0 to 1. */
  readonly loss: number;
}

/** Something that happened at a node, as the node tells it. */
export interface Happening {
  readonly node: NodeId;
  readonly atMs: number;
  readonly what:
    | RaftEvent
    | { readonly type: "life"; readonly life: Life; readonly reason: string }
    /** Everything up to `index` is; `from` is the first that was not before. */
    | { readonly type: "committed"; readonly index: number; readonly from?: number }
    | { readonly type: "snapshot"; readonly index: number; readonly reason: "taken" | "installed" }
    | { readonly type: "storageError"; readonly message: string; readonly consequence: string }
    | { readonly type: "refused"; readonly from: NodeId; readonly reason: string };
}

/** What a source tells. A view that is behind may be told of several changes of one node as one. */
export interface SourceListener {
  node(view: NodeView): void;
  /** It is in no membership any more, and does not run. */
  gone(id: NodeId): void;
  link(view: LinkView): void;
  message(view: MessageView): void;
  happened(happening: Happening): void;
}

/** The answer to a request of the playground. */
export interface KeyValueAnswer {
  /** `null`: there is no such key. */
  readonly value: string | null;
  /** The version of the key, or of the write. */
  readonly version: number;
  /** Which node answered, as the leader or of what it has. */
  readonly servedBy: NodeId;
  /** How long it took. */
  readonly tookMs: number;
}

/** What may be done to a live cluster. What goes wrong is a RaftError with a hint. */
export interface Controls {
  put(key: string, value: string): Promise<KeyValueAnswer>;
  get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer>;
  remove(key: string): Promise<KeyValueAnswer>;
  /** One way; the defaults are no cut, no delay, no loss. */
  setLink(link: LinkView): void;
  /** Cuts all its links, or restores them. */
  isolate(id: NodeId, isolated: boolean): void;
  /** Ends every cut, delay and loss. */
  heal(): void;
  kill(id: NodeId): Promise<void>;
  /** Starts it again, on what its disk has. */
  restart(id: NodeId): Promise<void>;
  pause(id: NodeId, paused: boolean): Promise<void>;
  /** Deletes its disk: it comes back as a new node, or not at all. */
  wipe(id: NodeId): Promise<void>;
  transferLeadership(to: NodeId): Promise<void>;
  takeSnapshot(id: NodeId): Promise<void>;
  /** A new node on this page: a learner first, then a voter. Resolves with its name once it takes part. */
  addNode(): Promise<NodeId>;
  removeNode(id: NodeId): Promise<void>;
  /** Where another tab joins with a node of its own. */
  readonly inviteUrl: string;
}

/** A cluster that can be looked at. */
export interface ClusterSource {
  /** Tells everything that is there, then every change, until the returned function is called. */
  subscribe(listener: SourceListener): () => void;
  /** The source's clock: of this machine for live nodes, of the run for a simulation. */
  now(): number;
  /** `null` where nothing can be changed. */
  readonly controls: Controls | null;
}
