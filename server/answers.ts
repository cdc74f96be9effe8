/**
 * The memory of answers that are being sent. A client may ask for much and read little of it.
 */

import { RaftError, withoutStack } from "../lib/errors.ts";
import { chunksOf, SlicedBody } from "../transport/connect/mod.ts";

/** Limits of {@linkcode Answers}. */
export interface AnswerLimits {
  /** The bytes of answers being sent, at most; reads beyond are refused as `busy`. @default 32 MiB */
  readonly maxAnswerBytes?: number;
  /** The time in which a client must read something of an answer, in milliseconds. @default 30000 */
  readonly answerStallTimeoutMs?: number;
}

/** Counts of {@linkcode Answers}, for metrics. */
export interface AnswerCounts {
  /** The bytes of answers being sent. */
  readonly bytes: number;
  /** Reads refused because the answers took too much. */
  readonly refused: number;
  /** Answers broken off because their client did not read. */
  readonly slow: number;
}

/** Answers up to this size are not counted: there are no more of them than connections. */
const SMALL_BYTES = 16 * 1024;

/** The bytes of the answer to a list that is full. */
const LIST_BYTES = 1024 * 1024;

/** The looks at an answer in the time in which its client must read something. */
const STALLED_LOOKS = 4;

/** A client that has not read for this long gives way when there is no room. */
const IDLE_MS = 5000;

/** Bounds the answers being sent. */
export class Answers {
  readonly #limits: Required<AnswerLimits>;
  /** Those under way, the oldest first. */
  readonly #bodies = new Map<SlicedBody, number>();
  #bytes = 0;
  /** The bytes that answers are being made of, in this turn of the event loop. */
  #admitted = 0;
  #refused = 0;
  #slow = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Creates a budget for the answers of one server. */
  constructor({ maxAnswerBytes = 32 * 1024 * 1024, answerStallTimeoutMs = 30_000 }: AnswerLimits = {}) {
    this.#limits = { maxAnswerBytes, answerStallTimeoutMs };
  }

  /** See {@linkcode AnswerCounts}. */
  get counts(): AnswerCounts {
    return { bytes: this.#bytes, refused: this.#refused, slow: this.#slow };
  }

  /** Admits a list before it is read: once there may be no room for its answer, to read it would be in vain. */
  admitList(): void {
    this.#makeRoom(LIST_BYTES);
    if (this.#bytes + LIST_BYTES > Math.max(this.#limits.maxAnswerBytes, 2 * LIST_BYTES)) throw this.#refusal();
  }

  /**
   * Admits what a read has found, before an answer is made of it: that takes several times the memory, so a read for
   * which there is no room must end here.
   *
   * @throws {RaftError} `busy` if there is no room for it
   */
  admit(bytes: number): void {
    if (bytes <= SMALL_BYTES) return;
    this.#makeRoom(this.#admitted + bytes);
    if (this.#bytes + this.#admitted > 0 && this.#bytes + this.#admitted + bytes > this.#limits.maxAnswerBytes) {
      throw this.#refusal();
    }
    // Answers are made without a wait, and counted by `bounded` from then on.
    if (this.#admitted === 0) setTimeout(() => this.#admitted = 0, 0);
    this.#admitted += bytes;
  }

  /**
   * Returns the same answer, counted until the client has read it. Only answers that state their length are counted.
   *
   * @param refusable false if the request had an effect, so that its answer must not be withheld
   * @throws {RaftError} `busy` if there is no room for it
   */
  bounded(request: Request, answer: Response, refusable: boolean): Response {
    const bytes = Number(answer.headers.get("content-length") ?? 0);
    if (!(bytes > SMALL_BYTES) || answer.body === null) return answer;
    const { maxAnswerBytes, answerStallTimeoutMs } = this.#limits;
    this.#makeRoom(bytes);
    if (refusable && this.#bytes > 0 && this.#bytes + bytes > maxAnswerBytes) {
      answer.body.cancel().catch(() => {});
      throw this.#refusal();
    }
    const body = new SlicedBody();
    this.#bodies.set(body, bytes);
    this.#bytes += bytes;
    this.#timer ??= setInterval(() => {
      this.#cut((body) => body.look() > STALLED_LOOKS, answerStallTimeoutMs);
    }, answerStallTimeoutMs / STALLED_LOOKS);
    const end = (): void => this.#ended(body);
    return new Response(body.stream(untilEnd(chunksOf(answer.body), end), { request, cancel: end }), answer);
  }

  /** Breaks off the answers to clients that have not read for a while, if there is no room for so many bytes. */
  #makeRoom(bytes: number): void {
    const { maxAnswerBytes, answerStallTimeoutMs } = this.#limits;
    const idleMs = Math.min(IDLE_MS, answerStallTimeoutMs);
    if (this.#bytes + bytes > maxAnswerBytes) this.#cut((body) => body.stalledMs >= idleMs, idleMs);
  }

  #refusal(): RaftError {
    this.#refused++;
    return withoutStack(() =>
      new RaftError("busy", `answers of ${this.#bytes} bytes are being sent already`, {
        hint: "Try again in a moment, or ask for less at once.",
      })
    );
  }

  /** Breaks off the answers to clients that have not read for so long. */
  #cut(isIdle: (body: SlicedBody) => boolean, idleMs: number): void {
    for (const body of [...this.#bodies.keys()]) {
      if (!isIdle(body)) continue;
      this.#slow++;
      void body.cut(new RaftError("busy", `the client has read nothing for ${idleMs} ms`));
      this.#ended(body);
    }
  }

  #ended(body: SlicedBody): void {
    this.#bytes -= this.#bodies.get(body) ?? 0;
    this.#bodies.delete(body);
    if (this.#bodies.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

async function* untilEnd(chunks: AsyncIterable<Uint8Array>, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    end();
  }
}
