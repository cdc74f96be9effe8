/**
 * The events of the protocol, for a model checker: every input of every node's core with
 * the state after it, every message sent, every write.
 *
 * The core is observed from outside: while a run is recorded, the methods of each node's
 * {@linkcode Raft} are wrapped. Otherwise nothing is added to them.
 *
 * @module
 */

import { decodeMembership, memberOf, Raft } from "../lib/raft/mod.ts";
import type {
  Effects,
  Entry,
  EntryType,
  HardState,
  InstallSnapshot,
  Membership,
  Message,
  NodeId,
  OutboundMessage,
  PersistBatch,
  Role,
  SnapshotMeta,
} from "../lib/raft/types.ts";
import type { LoadedState } from "../lib/storage.ts";
import type { Life } from "./checks/life.ts";

/** A membership, by names of data folders: a node with a new disk is another one. */
export interface TracedMembership {
  /** The voters; in a joint configuration, those of its new half. */
  readonly voters: readonly string[];
  /** The voters of the old half of a joint configuration. */
  readonly outgoing: readonly string[];
  /** The learners. */
  readonly learners: readonly string[];
  /** The voters of the old half that become learners. */
  readonly learnersNext: readonly string[];
}

/** An entry without its command. */
export interface TracedEntry {
  /** The term of the leader that created it. */
  readonly term: number;
  /** The kind of entry. */
  readonly type: EntryType;
  /** The membership, if it is one. */
  readonly membership?: TracedMembership;
}

/** A snapshot without its bytes. */
export interface TracedSnapshot {
  /** The last entry that it covers. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The membership as of that entry. */
  readonly membership: TracedMembership;
}

/** A message: the fields of the real one, with entries and snapshots without their bytes. */
export type TracedMessage = Readonly<Record<string, unknown>> & {
  /** The kind of message. */
  readonly type: Message["type"];
  /** The sender's term. */
  readonly term: number;
};

/** The state of a node after an event. */
export interface TracedState {
  /** The latest term seen. */
  readonly term: number;
  /** The candidate with this node's vote in that term. */
  readonly votedFor: NodeId | null;
  /** The role. */
  readonly role: Role;
  /** The last entry known to be committed. */
  readonly commitIndex: number;
  /** The first entry that the log still has. */
  readonly firstIndex: number;
  /** The last entry. */
  readonly lastIndex: number;
  /** The term of that entry. */
  readonly lastTerm: number;
  /** The last entry known to be on the disk. */
  readonly durableIndex: number;
  /** The last entry that the newest snapshot covers; 0 without one. */
  readonly snapshotIndex: number;
  /** The membership in force, if it is not the same as after this node's event before. */
  readonly membership?: TracedMembership;
}

/** One event: the inputs of a core, and its surroundings. docs/tla/README.md describes each. */
export interface ProtocolEvent {
  /** The position in the trace, from 1. */
  readonly event: number;
  /** The time, in virtual milliseconds. */
  readonly atMs: number;
  /** The name of the node's data folder: the node's name, and a number that grows when its disk is replaced. */
  readonly node: string;
  /** The kind of event. */
  readonly kind:
    | "load"
    | "start"
    | "end"
    | "write"
    | "written"
    | "writeFailed"
    | "tick"
    | "receive"
    | "propose"
    | "changeMembership"
    | "stepDown"
    | "persisted"
    | "persistFailed"
    | "snapshotTaken"
    | "compact"
    | "installSnapshot"
    | "send";
  /** The state after the event; left out for `load`, `end` and writes, which are no inputs of the core. */
  readonly state?: TracedState;
  /** The number of commands of a `propose`, and the index of a `compact`. */
  readonly count?: number;
  /** The message of a `receive`. */
  readonly message?: TracedMessage;
  /** The sender of that message. */
  readonly from?: NodeId;
  /** The event that sent it, and the position among its messages, from 0; null if no node sent such a message. */
  readonly sentBy?: readonly [event: number, position: number] | null;
  /** Set if the core refused the message. */
  readonly refused?: boolean;
  /** The messages of a `send`. */
  readonly messages?: readonly { readonly to: NodeId; readonly message: TracedMessage }[];
  /** The term and vote of a write or of a disk; null if they are not written. */
  readonly hardState?: HardState | null;
  /** The snapshot of a write, a disk or an input; null without one. */
  readonly snapshot?: TracedSnapshot | null;
  /** The entries of a write. */
  readonly entries?: readonly TracedEntry[];
  /** The index of the first of them; for a disk, the first after its snapshot. */
  readonly firstIndex?: number;
  /** The last entry of a disk. */
  readonly lastIndex?: number;
  /** The term of that entry. */
  readonly lastTerm?: number;
}

/** An event before it has its head. */
type Body = Omit<ProtocolEvent, "event" | "atMs" | "node">;

/** The inputs that change a core, apart from messages. */
const INPUTS = [
  "tick",
  "propose",
  "changeMembership",
  "stepDown",
  "persisted",
  "persistFailed",
  "snapshotTaken",
  "compact",
  "installSnapshot",
] as const;

/** Writes the events of a run. */
export class ProtocolTrace {
  readonly #nowMs: () => number;
  readonly #sink: (event: ProtocolEvent) => void;
  #events = 0;
  /** The event and position of each message sent, by sender, receiver and content. */
  readonly #sent = new Map<string, readonly [number, number]>();
  /** The state of each process at its last event, as text, and its membership. */
  readonly #seen = new Map<Life, { readonly text: string; readonly membership: Membership }>();

  /** Processes that were killed, perhaps within a turn: the rest of it has no effect. */
  readonly #ended = new WeakSet<Life>();

  constructor(nowMs: () => number, sink: (event: ProtocolEvent) => void) {
    this.#nowMs = nowMs;
    this.#sink = sink;
  }

  /** Notes the state that a process has loaded. */
  loaded(life: Life, { hardState, snapshot, lastIndex, termStarts }: LoadedState): void {
    const lastTerm = lastIndex > (snapshot?.index ?? 0) ? termStarts.at(-1)!.term : snapshot?.term ?? 0;
    const firstIndex = (snapshot?.index ?? 0) + 1;
    this.#write(life, { kind: "load", hardState, snapshot: tracedSnapshot(snapshot), firstIndex, lastIndex, lastTerm });
  }

  /** Notes that a batch is passed to the storage. */
  writing(life: Life, { hardState, snapshot, entries }: PersistBatch): void {
    this.#write(life, {
      kind: "write",
      hardState,
      snapshot: tracedSnapshot(snapshot),
      entries: entries.map(tracedEntry),
      firstIndex: entries[0]?.index ?? 0,
    });
  }

  /** Notes the end of a write; it has failed if the disk is unchanged. */
  wrote(life: Life, failed: boolean): void {
    this.#write(life, { kind: failed ? "writeFailed" : "written" });
  }

  /** Notes that a process has ended. */
  ended(life: Life): void {
    if (this.#seen.delete(life)) this.#write(life, { kind: "end" });
    this.#ended.add(life);
  }

  /** Notes the start of a core, and observes it from now on. */
  started(life: Life, raft: unknown): void {
    if (!(raft instanceof Raft)) throw new TypeError("a node's view is not its core");
    this.#input(life, raft, { kind: "start" });
    for (const name of INPUTS) {
      wrap(raft, name, (args) => this.#changed(life, raft, { kind: name, ...argument(name, args[0], args[1]) }));
    }
    wrap(raft, "step", ([from, message], refusal) => {
      this.#received(life, raft, from as NodeId, message as Message, refusal !== null);
    });
    wrap(raft, "takeEffects", (_, effects) => this.#sends(life, raft, (effects as Effects).messages));
    wrap(raft, "snapshotMessage", ([to], message) => {
      if (message === null) return;
      this.#sends(life, raft, [{ to: to as NodeId, message: message as InstallSnapshot }]);
    });
  }

  /** Writes an input that has changed the core: after a write, its own vote counts, even if that shows nowhere. */
  #changed(life: Life, raft: Raft, body: Body): void {
    const differs = textOf(raft) !== this.#seen.get(life)?.text;
    if (differs || body.kind === "persisted") this.#input(life, raft, body);
  }

  #received(life: Life, raft: Raft, from: NodeId, message: Message, refused: boolean): void {
    const traced = tracedMessage(message);
    this.#input(life, raft, {
      kind: "receive",
      from,
      message: traced,
      sentBy: this.#sent.get(keyOf(from, raft.id, traced)) ?? null,
      ...refused ? { refused } : {},
    });
  }

  #sends(life: Life, raft: Raft, sent: readonly OutboundMessage[]): void {
    if (sent.length === 0) return this.#changed(life, raft, { kind: "send", messages: [] });
    const messages = sent.map(({ to, message }) => ({ to, message: tracedMessage(message) }));
    for (const [position, { to, message }] of messages.entries()) {
      this.#sent.set(keyOf(raft.id, to, message), [this.#events + 1, position]);
    }
    this.#input(life, raft, { kind: "send", messages });
  }

  /** Writes an event with the state of the core after it. */
  #input(life: Life, raft: Raft, body: Body): void {
    const before = this.#seen.get(life)?.membership;
    const { membership } = raft;
    this.#seen.set(life, { text: textOf(raft), membership });
    this.#write(life, {
      ...body,
      state: { ...stateOf(raft), ...membership === before ? {} : { membership: tracedMembership(membership) } },
    });
  }

  #write(life: Life, body: Body): void {
    if (this.#ended.has(life)) return;
    this.#sink({ event: ++this.#events, atMs: this.#nowMs(), node: life.incarnation, ...body });
  }
}

/** Replaces a method of one core by itself and then `after`. */
function wrap(raft: Raft, name: keyof Raft, after: (args: readonly unknown[], result: unknown) => void): void {
  const method = (raft[name] as (...args: unknown[]) => unknown).bind(raft);
  const value = (...args: unknown[]): unknown => {
    const result = method(...args);
    after(args, result);
    return result;
  };
  Object.defineProperty(raft, name, { value });
}

/** Returns the parts of an input's arguments that matter. */
function argument(name: typeof INPUTS[number], first: unknown, second: unknown): Partial<Body> {
  switch (name) {
    case "propose":
      return { count: (first as readonly unknown[]).length };
    case "compact":
      return { count: first as number };
    case "snapshotTaken":
      return { snapshot: tracedSnapshot(first as SnapshotMeta) };
    case "installSnapshot":
      return { snapshot: tracedSnapshot(second as SnapshotMeta) };
    default:
      return {};
  }
}

function stateOf(raft: Raft): TracedState {
  const { term, votedFor, role, commitIndex, firstIndex, lastIndex, durableIndex, snapshot } = raft;
  const lastTerm = raft.termAt(lastIndex) ?? 0;
  const snapshotIndex = snapshot?.index ?? 0;
  return { term, votedFor, role, commitIndex, firstIndex, lastIndex, lastTerm, durableIndex, snapshotIndex };
}

function textOf(raft: Raft): string {
  return JSON.stringify([stateOf(raft), raft.membershipIndex]);
}

/** Returns the same text for the same message; a message that was decoded may have its fields in another order. */
function keyOf(from: NodeId, to: NodeId, message: TracedMessage): string {
  return `${from} ${to} ${JSON.stringify(Object.entries(message).sort())}`;
}

function tracedMembership(membership: Membership): TracedMembership {
  const folders = (ids: readonly NodeId[]): string[] =>
    ids.map((id) => memberOf(membership, id)?.incarnation ?? "").map((folder, at) => folder === "" ? ids[at]! : folder);
  return {
    voters: folders(membership.voters),
    outgoing: folders(membership.outgoing),
    learners: folders(membership.learners),
    learnersNext: folders(membership.learnersNext),
  };
}

function tracedEntry({ term, type, data }: Entry): TracedEntry {
  return type === "membership" ? { term, type, membership: tracedMembership(decodeMembership(data)) } : { term, type };
}

function tracedSnapshot(snapshot: SnapshotMeta | null): TracedSnapshot | null {
  if (snapshot === null) return null;
  const { index, term, membership } = snapshot;
  return { index, term, membership: tracedMembership(membership) };
}

function tracedMessage(message: Message): TracedMessage {
  if (message.type === "AppendEntries") return { ...message, entries: message.entries.map(tracedEntry) };
  if (message.type !== "InstallSnapshot") return { ...message };
  const { data, snapshot, ...head } = message;
  return { ...head, snapshotId: snapshot.id, snapshot: tracedSnapshot(snapshot), bytes: data.length };
}
