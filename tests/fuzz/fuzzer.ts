/**
 * Sends the inputs of a seed, several at a time, and remembers the last ones.
 *
 * @module
 */

import type { Input } from "./input.ts";
import { inputOf } from "./inputs.ts";
import { HeldSockets, pause } from "./raw_socket.ts";
import type { World } from "./world.ts";

/** Options of a {@linkcode Fuzzer}. */
export interface FuzzerOptions {
  readonly world: World;
  readonly seed: number;
  /** The first and the last number to send. */
  readonly window: readonly [first: number, last: number];
  /** Returns the number of operations of clients that were answered so far. */
  acknowledged(): number;
  /** Receives what an answer shows to be wrong. */
  problem(what: string): void;
}

/** An input that was sent. */
export interface Sent {
  readonly number: number;
  readonly atMs: number;
  readonly node: string;
  readonly kind: string;
  readonly what: string;
  /** The beginning of the answer; `null` while it is under way. */
  answer: string | null;
}

/** The number of inputs at a time. */
const LANES = 16;
/** The number of connections that are held open at a time, all nodes together. */
const MAX_HELD = 250;
/** The number of inputs that are remembered. */
const MAX_REMEMBERED = 400;
/** After a disruptive input, the answers to clients before the next one. */
const ANSWERS_BETWEEN = 10;

/** Answers that admit a fault of the server. Connect itself calls some breaches of its protocol `internal`, without a detail. */
const FAULTY = /^HTTP\/1\.[01] 500|urn:raft-core:error:internal|"debug":\{"code":"internal"/;

/** The sender of inputs. */
export class Fuzzer {
  /** The number of inputs sent, by kind. */
  readonly counts: Map<string, number> = new Map();
  /** The last inputs. */
  readonly last: Sent[] = [];
  readonly #options: FuzzerOptions;
  readonly #held = new HeldSockets(MAX_HELD);
  readonly #startMs = performance.now();
  #next: number;
  #disruptiveAfter = 0;

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#next = options.window[0];
  }

  /** The number of the next input. */
  get next(): number {
    return this.#next;
  }

  /** Sends inputs until the window or the signal ends. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(Array.from({ length: LANES }, () => this.#lane(signal)));
    } finally {
      this.#held.closeAll();
    }
  }

  async #lane(signal: AbortSignal): Promise<void> {
    const { seed, window, world } = this.#options;
    while (!signal.aborted && this.#next <= window[1]) {
      const input = inputOf(seed, this.#next++, world.targets.length);
      if (input.disruptive) await this.#calm(signal);
      if (!signal.aborted) await this.#send(input);
    }
  }

  /** Waits until clients were served after the last disruptive input, so that elections can end. */
  async #calm(signal: AbortSignal): Promise<void> {
    const { acknowledged } = this.#options;
    while (!signal.aborted && acknowledged() < this.#disruptiveAfter) await pause(50);
    this.#disruptiveAfter = acknowledged() + ANSWERS_BETWEEN;
  }

  async #send({ number, kind, to, what, send }: Input): Promise<void> {
    const { world } = this.#options;
    const target = world.targets[to]!;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const sent: Sent = { number, atMs: this.#ms, node: target.id, kind, what, answer: null };
    this.last.push(sent);
    if (this.last.length > MAX_REMEMBERED) this.last.shift();
    const answer = await send({ world, target, held: this.#held });
    sent.answer = legible(answer).slice(0, 200);
    if (FAULTY.test(answer)) {
      this.#options.problem(`${target.id} answered input ${number} (${what}) with ${legible(answer).slice(0, 2000)}`);
    }
  }

  get #ms(): number {
    return Math.round(performance.now() - this.#startMs);
  }
}

/** Returns the answer without headers and without bytes that are no text. */
function legible(answer: string): string {
  const [first = ""] = answer.split("\r\n", 1);
  const body = first.startsWith("HTTP/1") ? answer.slice(answer.indexOf("\r\n\r\n") + 4) : answer;
  const text = body.replaceAll(/[^\x20-\x7e]+/g, " ").trim();
  return first === body ? text : `${first} ${text}`;
}
