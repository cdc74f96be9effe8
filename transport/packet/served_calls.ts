/**
 * Calls that are being answered.
 */

import type { Host } from "../../lib/clock.ts";
import { closedError, RaftError } from "../../lib/errors.ts";
import { wireError } from "../wire/error_detail.ts";
import type { CallHandler } from "./methods.ts";
import type { Answer, Call } from "./packet_codec.ts";

/** Options of {@linkcode ServedCalls}. Times in milliseconds. */
export interface ServedCallsOptions {
  readonly host: Host;
  /** At most this many calls are under way; further ones are refused as `busy`. */
  readonly maxServed: number;
  /** Their requests have at most this many bytes, unless there is only one. */
  readonly maxServedBytes: number;
  /** A call that takes longer is given up: its caller has stopped waiting. */
  readonly timeoutMs: number;
}

/** Answers every call, unless its caller is gone. */
export class ServedCalls {
  readonly #options: ServedCallsOptions;
  readonly #underWay = new Set<{ readonly caller: string; readonly controller: AbortController }>();
  #bytes = 0;
  /** Answers calls; without one all are refused. */
  handler: CallHandler | undefined;

  constructor(options: ServedCallsOptions) {
    this.#options = options;
  }

  /** Takes a call, and answers it once it is done. */
  async serve(caller: string, { id, method, request }: Call, answer: (answer: Answer) => void): Promise<void> {
    const { host, maxServed, maxServedBytes, timeoutMs } = this.#options;
    const { handler } = this;
    const refuse = (outcome: RaftError): void => answer({ type: "answer", id, outcome });
    if (handler === undefined) return refuse(new RaftError("unsupported", "no calls are answered here"));
    if (this.#underWay.size >= maxServed) {
      return refuse(new RaftError("busy", `${maxServed} calls are under way here already`));
    }
    if (this.#bytes > 0 && this.#bytes + request.length > maxServedBytes) {
      return refuse(new RaftError("busy", `calls of ${this.#bytes} bytes are under way here already`));
    }
    this.#bytes += request.length;
    const controller = new AbortController();
    const call = { caller, controller };
    this.#underWay.add(call);
    const cancel = host.clock.setTimer(timeoutMs, () => {
      controller.abort(new RaftError("timeout", `not done within ${timeoutMs} ms`, { outcome: "unknown" }));
    });
    let outcome: Uint8Array | RaftError;
    try {
      outcome = await handler(method, request, { signal: controller.signal });
    } catch (error) {
      outcome = wireError(error);
    }
    cancel();
    this.#bytes -= request.length;
    if (this.#underWay.delete(call)) answer({ type: "answer", id, outcome });
  }

  /** Gives up the calls of a caller that is gone. */
  lost(address: string): void {
    const gone = new RaftError("aborted", "the caller is gone", { outcome: "unknown" });
    this.#giveUp(gone, (caller) => caller === address);
  }

  /** Gives up every call. */
  close(): void {
    this.handler = undefined;
    this.#giveUp(closedError("the transport", "unknown"), () => true);
  }

  #giveUp(reason: RaftError, of: (caller: string) => boolean): void {
    for (const call of this.#underWay) {
      if (!of(call.caller)) continue;
      this.#underWay.delete(call);
      call.controller.abort(reason);
    }
  }
}
