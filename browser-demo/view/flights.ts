/**
 * When and how a message is drawn. Real messages arrive within a millisecond; they
 * are drawn slower, yet in an order that happened: an answer leaves when its
 * request has arrived, a candidate's next step when the votes for it have. Pure:
 * times are the source's.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { MessageView } from "../source.ts";
import { linkKey } from "./model.ts";

/** What a message is drawn as. */
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
  /** How many messages it stands for. */
  messages: number;
}

/** How long a dot takes at least. */
export const FLIGHT_MS = 520;
/** The two rounds of an election are the way to something else. */
const VOTE_MS = 380;
/** Of two messages of one kind and link that leave this soon one after the other, one is drawn. */
const TOGETHER_MS = 90;
/** Nodes tell of their messages each on its own way: what is told within this time is put into the order it happened in. */
export const SETTLE_MS = 80;
/** Messages that may wait for that. */
const UNSETTLED_MOST = 600;
/** The picture is never further behind than this. */
const MAX_LAG_MS = 1800;
/** Dots drawn at once; what is more is not drawn. */
export const MAX_FLIGHTS = 160;

/** What a message is drawn as. */
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
interface Request {
  readonly arrivesMs: number;
  readonly kind: Kind;
}

/** The dots on their way. */
export class Flights {
  #flights: Flight[] = [];
  #unsettled: MessageView[] = [];
  /** By link. */
  readonly #requests = new Map<string, Request>();
  /** When the newest vote for a node arrives in the picture. */
  readonly #votesArrive = new Map<NodeId, number>();

  /** Adds a message. */
  add(view: MessageView): void {
    this.#unsettled.push(view);
    if (this.#unsettled.length > UNSETTLED_MOST) this.#unsettled.shift();
  }

  /**
   * What is to be drawn now; what has arrived is forgotten. After a jump back in time nothing is left.
   * `rate` is how many milliseconds of the source pass in one of the viewer's.
   */
  at(nowMs: number, rate = 1): readonly Flight[] {
    this.#settle(nowMs, rate);
    const horizon = nowMs + (MAX_LAG_MS + FLIGHT_MS) * rate;
    if (this.#flights.some(({ endMs, startMs }) => endMs <= nowMs || startMs > horizon)) {
      this.#flights = this.#flights.filter(({ endMs, startMs }) => endMs > nowMs && startMs <= horizon);
    }
    return this.#flights;
  }

  /** Forgets what a node that is gone has to do with. */
  forget(id: NodeId): void {
    this.#flights = this.#flights.filter(({ from, to }) => from !== id && to !== id);
    this.#votesArrive.delete(id);
  }

  /** Lets those leave that were sent long enough ago, in the order in which they were sent. */
  #settle(nowMs: number, rate: number): void {
    if (this.#unsettled.length === 0) return;
    const until = nowMs - SETTLE_MS * rate;
    const settled = this.#unsettled.filter(({ sentMs }) => sentMs <= until);
    if (settled.length === 0) return;
    this.#unsettled = this.#unsettled.filter(({ sentMs }) => sentMs > until);
    settled.sort((a, b) => a.sentMs - b.sentMs);
    for (const view of settled) this.#leave(view, rate);
  }

  #leave(view: MessageView, rate: number): void {
    const { from, to, refusal, fate } = view;
    const answer = view.type.endsWith("Response");
    // An answer looks like its request: one to a heartbeat is small, too.
    const asked = answer ? this.#requests.get(linkKey(to, from)) : undefined;
    const kind = view.type === "AppendEntriesResponse" ? asked?.kind ?? kindOf(view) : kindOf(view);
    const startMs = this.#start(view, answer ? asked?.arrivesMs : undefined, rate);
    const least = (kind === "vote" ? VOTE_MS : FLIGHT_MS) * rate;
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
    if (same !== undefined && (full || Math.abs(startMs - same.startMs) < TOGETHER_MS * rate)) same.messages++;
    else if (!full) this.#flights.push({ from, to, kind, answer, refusal, fate, startMs, endMs, messages: 1 });
  }

  /** Not before what caused it has arrived: the request of an answer, or the votes for who goes on. */
  #start(view: MessageView, requestMs: number | undefined, rate: number): number {
    const leavesMs = view.sentMs + SETTLE_MS * rate;
    const goesOn = view.type === "RequestVote" || view.type === "AppendEntries";
    const causeMs = requestMs ?? (goesOn ? this.#votesArrive.get(view.from) : undefined);
    if (causeMs === undefined || causeMs > leavesMs + MAX_LAG_MS * rate) return leavesMs;
    return Math.max(leavesMs, causeMs);
  }
}
