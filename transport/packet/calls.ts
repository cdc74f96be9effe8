/**
 * Calls that wait for their answers.
 *
 * @module
 */

import type { Cancel, Host } from "../../lib/clock.ts";
import { abortedError, RaftError } from "../../lib/errors.ts";
import type { Answer, Call } from "./packet_codec.ts";

/** What {@linkcode Calls} needs. Times in milliseconds. */
export interface CallsOptions {
  readonly host: Host;
  /** Hands a call on; `false` if it has surely not left. */
  readonly send: (to: string, call: Call) => boolean;
  /** Calls that wait, at most. */
  readonly maxPending: number;
  /** A call without an answer ends after so long, whatever its caller's signal says. */
  readonly timeoutMs: number;
}

interface Pending {
  readonly to: string;
  /** Ends the call: with the response, or with an error. */
  end(outcome: Uint8Array | RaftError): void;
}

/** Matches answers with calls. Each call ends once: answered, given up, lost with its receiver, or closed. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #pending = new Map<number, Pending>();
  #lastId: number;
  #closed = false;

  constructor(options: CallsOptions) {
    this.#options = options;
    // An answer that was meant for an earlier transport at the same address must match no call of this one.
    this.#lastId = Math.floor(options.host.random() * 0x1_0000_0000);
  }

  /** Calls that wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Calls `method` at an address. @throws {RaftError} what the other side says, or why there is no answer */
  call(to: string, method: string, request: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new RaftError("closed", "the transport is closed");
      if (signal?.aborted) throw abortedError(signal, "rejected");
      if (this.#pending.size >= this.#options.maxPending) {
        throw new RaftError("busy", `${this.#pending.size} calls wait for their answers already`);
      }
      const id = this.#nextId();
      const onAbort = (): void => signal !== undefined ? end(abortedError(signal, "unknown")) : undefined;
      const end = (outcome: Uint8Array | RaftError): void => {
        this.#pending.delete(id);
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        if (outcome instanceof RaftError) reject(outcome);
        else resolve(outcome);
      };
      const cancelTimer = this.#timeout(to, end);
      signal?.addEventListener("abort", onAbort);
      this.#pending.set(id, { to, end });
      if (!this.#options.send(to, { type: "call", id, method, request })) {
        end(new RaftError("unreachable", `nobody is to be reached at ${to}`));
      }
    });
  }

  /** Takes an answer from `from`; whether a call to there waited for it. */
  answered(from: string, { id, outcome }: Answer): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.to !== from) return false;
    pending.end(outcome);
    return true;
  }

  /** Ends the calls to an address whose node is gone: it may have carried them out before. */
  lost(address: string): void {
    for (const { to, end } of [...this.#pending.values()]) {
      if (to === address) {
        end(new RaftError("unreachable", `whoever was at ${address} is gone`, { outcome: "unknown" }));
      }
    }
  }

  /** Ends every call. */
  close(): void {
    this.#closed = true;
    for (const { end } of [...this.#pending.values()]) {
      end(new RaftError("closed", "the transport was closed", { outcome: "unknown" }));
    }
  }

  /** A number that no call that waits has. */
  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0; while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #timeout(to: string, end: (error: RaftError) => void): Cancel {
    const { host, timeoutMs } = this.#options;
    const late = `no answer from ${to} within ${timeoutMs} ms`;
    return host.clock.setTimer(timeoutMs, () => end(new RaftError("timeout", late, { outcome: "unknown" })));
  }
}
