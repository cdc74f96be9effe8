/**
 * Converts traces to TLA+ values: the model checker of 2020 reads no JSON. Events that
 * can't matter are left out, since parsing takes most of the time.
 * docs/tla/RaftTrace.tla describes the result.
 */

import type {
  ProtocolEvent,
  TracedEntry,
  TracedMembership,
  TracedMessage,
  TracedSnapshot,
  TracedState,
} from "../../simulation/mod.ts";

/** A trace as a TLA+ record. */
export interface ConvertedTrace {
  readonly text: string;
  /** The number of events that are checked. */
  readonly events: number;
}

/** The most nodes of a trace, as in the configuration of RaftTrace. */
export const MAX_SERVERS = 9;

/** Converts one trace. @throws {Error} if a disk was replaced, which the specification does not cover */
export function convert(events: readonly ProtocolEvent[]): ConvertedTrace {
  return new Converter().convert(events);
}

class Converter {
  readonly #memberships = new Map<string, number>();
  /** The position in the converted trace of each event that sent messages. */
  readonly #sends = new Map<number, number>();
  readonly #shown = new Map<string, string>();
  readonly #current = new Map<string, number>();
  /** The acknowledgements that each node has received as leader. */
  readonly #received = new Set<string>();

  convert(events: readonly ProtocolEvent[]): ConvertedTrace {
    const lines: string[] = [];
    const numbers: number[] = [];
    for (const event of events) {
      const line = this.#event(event);
      if (line === null) continue;
      lines.push(line);
      numbers.push(event.event);
      if (event.kind === "send") this.#sends.set(event.event, lines.length);
    }
    const memberships = [...this.#memberships.keys()];
    const text = `[events |-> <<\n${lines.join(",\n")}>>,\nnumbers |-> <<${numbers.join(",")}>>,\n` +
      `memberships |-> <<${memberships.join(",\n")}>>]`;
    return { text, events: lines.length };
  }

  /** Converts an event; returns `null` if it changes nothing that the specification knows. */
  #event(event: ProtocolEvent): string | null {
    const { kind, node } = event;
    const folder = server(node);
    if (kind === "end") this.#shown.delete(node);
    const shown = event.state === undefined ? "<<>>" : this.#state(node, event.state);
    const rest = this.#rest(event, shown);
    return rest === null ? null : `<<"${rest.kind}",${[folder, shown, ...rest.values].join(",")}>>`;
  }

  #rest(event: ProtocolEvent, shown: string): { readonly kind: string; readonly values: readonly unknown[] } | null {
    const { kind } = event;
    switch (kind) {
      case "load": {
        const { term, votedFor } = event.hardState!;
        const snapshot = this.#snapshot(event.snapshot!);
        return { kind, values: [term, vote(votedFor), snapshot, event.lastIndex, event.lastTerm] };
      }
      case "write": {
        const { hardState, snapshot, entries } = event;
        const promise = !hardState ? "<<>>" : `<<${hardState.term},${vote(hardState.votedFor)}>>`;
        return { kind, values: [promise, this.#snapshot(snapshot!), event.firstIndex, this.#entries(entries!)] };
      }
      case "receive":
        return this.#receive(event, shown);
      case "propose":
      case "compact":
        return { kind, values: [event.count] };
      case "changeMembership":
        return { kind, values: [this.#target(event)] };
      case "snapshotTaken":
      case "installSnapshot":
        return { kind, values: [this.#snapshot(event.snapshot!)] };
      case "send":
        return { kind, values: [this.#send(event)] };
      default:
        return { kind, values: [] };
    }
  }

  #receive(event: ProtocolEvent, shown: string): { readonly kind: string; readonly values: readonly unknown[] } | null {
    const unchanged = shown === "<<>>";
    const message = event.message!;
    if (event.refused) return unchanged ? null : { kind: "refused", values: [] };
    // A message that no node has sent is refused.
    if (event.sentBy === null || event.sentBy === undefined) return { kind: "receive", values: [0, 0] };
    if (unchanged && isIdle(message)) return null;
    const { type, term } = message;
    if (unchanged && (type === "AppendEntriesResponse" || type === "InstallSnapshotResponse")) {
      const key = [event.node, event.from, term, message["matchIndex"]].join();
      if (this.#received.has(key)) return null;
      this.#received.add(key);
    }
    const [sent, position] = event.sentBy;
    return { kind: "receive", values: [this.#sends.get(sent) ?? 0, position + 1] };
  }

  #send({ messages }: ProtocolEvent): string {
    const texts = messages!.map(({ to, message }) => this.#message(server(`${to}.0`), message));
    return `<<${texts.join(",")}>>`;
  }

  #message(to: number, message: TracedMessage): string {
    const { type, term } = message;
    const of = (name: string): number => message[name] as number;
    const truth = (name: string): string => message[name] === true ? "TRUE" : "FALSE";
    const tuple = (name: string, ...values: readonly unknown[]): string =>
      `<<"${name}",${[to, term, ...values].join(",")}>>`;
    switch (type) {
      case "RequestVote":
        return tuple("RequestVote", truth("preVote"), of("lastLogIndex"), of("lastLogTerm"));
      case "RequestVoteResponse":
        return tuple("Vote", truth("preVote"), truth("voteGranted"));
      case "AppendEntries": {
        const entries = this.#entries(message["entries"] as readonly TracedEntry[]);
        return tuple("Append", of("prevLogIndex"), of("prevLogTerm"), of("leaderCommit"), entries);
      }
      case "AppendEntriesResponse":
        return tuple("Acknowledgement", message["success"] === true ? of("matchIndex") : 0);
      case "InstallSnapshot":
        return tuple("Snapshot", this.#snapshot(message["snapshot"] as TracedSnapshot));
      case "InstallSnapshotResponse":
        return tuple("Acknowledgement", message["status"] === "installed" ? of("matchIndex") : 0);
      case "TimeoutNow":
        return tuple("TimeoutNow");
    }
  }

  /** Returns the state as the specification shows it; empty if it is the same as before. */
  #state(node: string, state: TracedState): string {
    if (state.membership !== undefined) this.#current.set(node, this.#membership(state.membership));
    const { term, role, commitIndex, firstIndex, lastIndex, lastTerm, snapshotIndex } = state;
    const values = [term, vote(state.votedFor), `"${role}"`, commitIndex, firstIndex - 1, lastIndex, lastTerm];
    const text = `<<${[...values, snapshotIndex, this.#current.get(node) ?? 0].join(",")}>>`;
    if (this.#shown.get(node) === text) return "<<>>";
    this.#shown.set(node, text);
    return text;
  }

  /** Returns the membership that a change leads to: a joint one is on the way to its leave. */
  #target({ state }: ProtocolEvent): number {
    const membership = state!.membership!;
    if (membership.outgoing.length === 0) return this.#membership(membership);
    const { voters, learners, learnersNext } = membership;
    return this.#membership({ voters, outgoing: [], learners: [...learners, ...learnersNext], learnersNext: [] });
  }

  #membership({ voters, outgoing, learners, learnersNext }: TracedMembership): number {
    const text = `Membership(${[voters, outgoing, learners, learnersNext].map(set).join(",")})`;
    if (voters.length === 0) return 0;
    const number = this.#memberships.get(text) ?? this.#memberships.size + 1;
    this.#memberships.set(text, number);
    return number;
  }

  #entries(entries: readonly TracedEntry[]): string {
    const texts = entries.map(({ term, membership }) =>
      membership === undefined ? `<<${term}>>` : `<<${term},${this.#membership(membership)}>>`
    );
    return `<<${texts.join(",")}>>`;
  }

  #snapshot(snapshot: TracedSnapshot | null): string {
    if (snapshot === null) return "<<>>";
    return `<<${snapshot.index},${snapshot.term},${this.#membership(snapshot.membership)}>>`;
  }
}

/** Reports whether a message that changes nothing visible changes nothing at all. */
function isIdle(message: TracedMessage): boolean {
  switch (message.type) {
    case "RequestVote":
    case "TimeoutNow":
      return true;
    case "RequestVoteResponse":
      return message["voteGranted"] !== true;
    case "AppendEntriesResponse":
      return message["success"] !== true;
    case "InstallSnapshotResponse":
      return message["status"] !== "installed";
    default:
      return false;
  }
}

function set(nodes: readonly string[]): string {
  return `{${nodes.map(server).sort().join(",")}}`;
}

/** Returns the number of a node, by its data folder: "n3.0" is 3. */
function server(folder: string): number {
  const found = /^n([1-9])\.0$/.exec(folder);
  if (found === null) throw new Error(`"${folder}" has a replaced disk, which the specification does not cover`);
  return Number(found[1]);
}

function vote(id: string | null): number {
  return id === null ? 0 : server(`${id}.0`);
}
