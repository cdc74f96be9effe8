/**
 * The flights of messages in the picture. Real messages arrive within a millisecond;
 * they are drawn slower, yet in a causal order: an answer leaves when its request
 * has arrived, and a candidate's next message when the votes for it have. Pure:
 * times are those of the source.
 */

import type { NodeId } from "../../mod.ts";
import type { MessageView } from "../source.ts";
import { linkKey } from "./model.ts";

/** The shape of a message. */
export type Kind = "vote" | "heartbeat" | "entries" | "snapshot" | "timeoutNow";

/** A dot on its way. */
export interface Flight {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly kind: Kind;
  /** Answers are drawn hollow. */
  readonly answer: boolean;
  readonly refusal: boolean;
  readonly fate: MessageView["fate"];
  readonly startMs: number;
  readonly endMs: number;
  /** The number of messages it stands for. */
  messages: number;
}

/** The shortest flight. */
export const FLIGHT_MS = 520;
/** The two rounds of an election are a little faster. */
const VOTE_MS = 380;
/** Messages of one kind and link that leave within this time are drawn as one. */
const TOGETHER_MS = 90;
/** Nodes report their messages separately: those that arrive within this time are put in order. */
export const SETTLE_MS = 80;
/** At most this many messages wait for that. */
const MAX_UNSETTLED = 600;
/** The picture is never further behind than this. */
const MAX_LAG_MS = 1800;
/** At most this many dots are drawn. */
export const MAX_FLIGHTS = 160;

/** Returns the shape of a message. */
export function kindOf({ type, heartbeat }: Pick<MessageView, "type" | "heartbeat">): Kind {
  switch (type) {
    case "RequestVote":
    case "RequestVoteResponse":
      return "vote";
    case "AppendEntries":
    case "AppendEntriesResponse":
      return heartbeat ? "heartbeat" : "entries";
    case "InstallSnapshot":
    case "InstallSnapshotResponse":
      return "snapshot";
    case "TimeoutNow":
      return "timeoutNow";
  }
}

/** The newest request of a link. */
interface DrawnRequest {
  readonly arrivesMs: number;
  readonly kind: Kind;
}

/** The dots on their way. */
export class Flights {
  #flights: Flight[] = [];
  #unsettled: MessageView[] = [];
  /** By link. */
  readonly #requests = new Map<string, DrawnRequest>();
  /** When the newest vote for a node arrives in the picture. */
  readonly #votesArrive = new Map<NodeId, number>();

  /** Adds a message. */
  add(view: MessageView): void {
    this.#unsettled.push(view);
    if (this.#unsettled.length > MAX_UNSETTLED) this.#unsettled.shift();
  }

  /** Returns the flights of now, and forgets those that have arrived. */
  at(nowMs: number): readonly Flight[] {
    this.#settle(nowMs);
    this.#flights = this.#flights.filter(({ endMs }) => endMs > nowMs);
    return this.#flights;
  }

  /** Forgets the flights from and to a node that is gone. */
  forget(id: NodeId): void {
    this.#flights = this.#flights.filter(({ from, to }) => from !== id && to !== id);
    this.#votesArrive.delete(id);
  }

  /** Lets messages leave that were sent long enough ago, in the order in which they were sent. */
  #settle(nowMs: number): void {
    if (this.#unsettled.length === 0) return;
    const until = nowMs - SETTLE_MS;
    const settled = this.#unsettled.filter(({ sentMs }) => sentMs <= until);
    if (settled.length === 0) return;
    this.#unsettled = this.#unsettled.filter(({ sentMs }) => sentMs > until);
    settled.sort((a, b) => a.sentMs - b.sentMs);
    for (const view of settled) this.#leave(view);
  }

  #leave(view: MessageView): void {
    const { from, to, refusal, fate } = view;
    const answer = view.type.endsWith("Response");
    // An answer looks like its request: one to a heartbeat is small, too.
    const asked = answer ? this.#requests.get(linkKey(to, from)) : undefined;
    const kind = view.type === "AppendEntriesResponse" ? asked?.kind ?? kindOf(view) : kindOf(view);
    const startMs = this.#start(view, answer ? asked?.arrivesMs : undefined);
    const least = kind === "vote" ? VOTE_MS : FLIGHT_MS;
    const endMs = startMs + Math.max(least, view.arrivesMs - view.sentMs);
    if (fate === "delivered") {
      if (!answer) this.#requests.set(linkKey(from, to), { arrivesMs: endMs, kind });
      else if (kind === "vote") this.#votesArrive.set(to, endMs);
    }
    const same = this.#flights.findLast((flight) =>
      flight.from === from && flight.to === to && flight.kind === kind && flight.answer === answer &&
      flight.refusal === refusal && flight.fate === fate
    );
    const full = this.#flights.length >= MAX_FLIGHTS;
    if (same !== undefined && (full || Math.abs(startMs - same.startMs) < TOGETHER_MS)) same.messages++;
    else if (!full) this.#flights.push({ from, to, kind, answer, refusal, fate, startMs, endMs, messages: 1 });
  }

  /** Returns the start: not before the cause has arrived, which is the request, or the votes for the sender. */
  #start(view: MessageView, requestMs: number | undefined): number {
    const leavesMs = view.sentMs + SETTLE_MS;
    const goesOn = view.type === "RequestVote" || view.type === "AppendEntries";
    const causeMs = requestMs ?? (goesOn ? this.#votesArrive.get(view.from) : undefined);
    if (causeMs === undefined || causeMs > leavesMs + MAX_LAG_MS) return leavesMs;
    return Math.max(leavesMs, causeMs);
  }
}
