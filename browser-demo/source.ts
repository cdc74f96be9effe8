/**
 * The interface between the view and the cluster: what is shown, and which actions
 * the view can request.
 */

import type { Life } from "../browser/mod.ts";
import type { EntryType, Membership, Message, NodeId, PeerStatus, RaftEvent, Role } from "../mod.ts";

/** The life of a node: `killed` may be started again, with its disk; of one that is `away` there are no reports. */
export type NodeLife = Exclude<Life, "waiting" | "closed"> | "killed" | "away";

/** The place where a node runs. A `server` was joined through its relay. */
export type Home = "this page" | "another tab" | "server";

/** An entry of the log. */
export interface EntryView {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  /** The command in a few words; empty for other types. */
  readonly label: string;
}

/** A node at one moment. Times are milliseconds of {@linkcode ClusterSource.now}. */
export interface NodeView {
  readonly id: NodeId;
  readonly address: string;
  readonly home: Home;
  readonly life: NodeLife;
  /** The reason why it does not run; empty otherwise. */
  readonly lifeReason: string;
  readonly role: Role;
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly leader: NodeId | null;
  /** The votes in its own campaign. */
  readonly votes: readonly { readonly from: NodeId; readonly granted: boolean }[];
  /** The last contact with a leader, and the time of the next campaign; `null` for a node that won't campaign. */
  readonly electionTimer: { readonly startedMs: number; readonly dueMs: number } | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly snapshot: { readonly index: number; readonly term: number } | null;
  readonly membership: Membership;
  readonly membershipIndex: number;
  /** The newest entries, oldest first. */
  readonly entries: readonly EntryView[];
  /** A leader's view of the others; empty for other roles. */
  readonly progress: readonly Omit<PeerStatus, "lastContactMs">[];
  /** The time of this view. */
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
  /** The message in a few words. */
  readonly label: string;
  /** AppendEntries without entries. */
  readonly heartbeat: boolean;
  /** Marks an answer that refuses. */
  readonly refusal: boolean;
  readonly sentMs: number;
  /** The time of arrival. Real messages take less than a millisecond: the view draws them slower. */
  readonly arrivesMs: number;
  readonly fate: "delivered" | "lost" | "cut";
}

/** The state of a link: of everything that one node sends to another. */
export interface LinkView {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly cut: boolean;
  readonly delayMs: number;
  /** The probability that a message is lost, 0 to 1. */
  readonly loss: number;
}

/** An event at a node. */
export interface ClusterEvent {
  readonly node: NodeId;
  readonly atMs: number;
  readonly what:
    | RaftEvent
    | { readonly type: "life"; readonly life: NodeLife; readonly reason: string }
    /** Everything up to `index` is committed; `from` is the first entry that was not before. */
    | { readonly type: "committed"; readonly index: number; readonly from?: number }
    | { readonly type: "snapshot"; readonly index: number; readonly reason: "taken" | "installed" }
    | { readonly type: "storageError"; readonly message: string; readonly consequence: string }
    | { readonly type: "refused"; readonly from: NodeId; readonly reason: string };
}

/** A listener to a source. Several changes of one node may arrive as one. */
export interface SourceListener {
  node(view: NodeView): void;
  /** Called with a node that is no longer in the membership, and does not run. */
  gone(id: NodeId): void;
  link(view: LinkView): void;
  message(view: MessageView): void;
  event(event: ClusterEvent): void;
}

/** The answer to a request of the playground. */
export interface KeyValueAnswer {
  /** `null` if there is no such key. */
  readonly value: string | null;
  /** The version of the key, or of the write. */
  readonly version: number;
  /** The node that answered. */
  readonly servedBy: NodeId;
  readonly tookMs: number;
}

/** A cluster with its controls. Failures are RaftErrors with a hint. */
export interface ClusterSource {
  /** Calls the listener with everything that there is, then with every change. */
  subscribe(listener: SourceListener): void;
  /** Returns the time of the clock that all views, messages and events use. */
  now(): number;
  put(key: string, value: string): Promise<KeyValueAnswer>;
  get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer>;
  remove(key: string): Promise<KeyValueAnswer>;
  /** Sets the state of a link, in one direction. */
  setLink(link: LinkView): void;
  /** Cuts all links of a node, or restores them. */
  isolate(id: NodeId, isolated: boolean): void;
  /** Ends every cut, delay and loss. */
  heal(): void;
  kill(id: NodeId): Promise<void>;
  /** Starts a node again, on its disk. */
  restart(id: NodeId): Promise<void>;
  pause(id: NodeId, paused: boolean): Promise<void>;
  /** Kills a node and deletes its disk: it comes back as a new node, or not at all. */
  wipe(id: NodeId): Promise<void>;
  transferLeadership(to: NodeId): Promise<void>;
  takeSnapshot(id: NodeId): Promise<void>;
  /** Adds a node on this page: a learner first, then a voter. Resolves with its name once it takes part. */
  addNode(): Promise<NodeId>;
  removeNode(id: NodeId): Promise<void>;
  /** The address at which another tab of this browser joins at once, with a node of its own. Not to be shared. */
  readonly inviteUrl: string;
  /** The address for others: the page asks its user before it joins. */
  readonly shareUrl: string;
}
