/**
 * The page's side of the way to the worker of its node.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { RaftNodeEventMap } from "../lib/node/types.ts";
import { errorFromClone } from "./protocol.ts";
import type { CallName, Connect, Listening, ToPage, ToWorker, WorkerCalls } from "./protocol.ts";

/** What a page needs of the worker. A `Worker` is one. */
export interface WorkerEnd {
  /** Posts to the worker. */
  postMessage(message: unknown, transfer: MessagePort[]): void;
  /** Hears of what it posts, and of errors that nobody caught there. */
  addEventListener(type: "message" | "error", listener: (event: Event) => void): void;
  /** Takes it back. */
  removeEventListener(type: "message" | "error", listener: (event: Event) => void): void;
}

/** What comes unasked. */
export interface WorkerListener {
  opened(message: ToPage & { readonly type: "opened" }): void;
  life(message: ToPage & { readonly type: "life" }): void;
  leads(leads: boolean): void;
  event(event: keyof RaftNodeEventMap, detail: unknown): void;
  /** The worker's script failed before it listened. */
  failed(error: RaftError): void;
}

interface Pending {
  resolve(output: unknown): void;
  reject(error: RaftError): void;
}

/** Calls the worker, each call with one end. Before the worker has said its first word a call may be lost. */
export class WorkerPort {
  readonly #worker: WorkerEnd;
  readonly #listener: WorkerListener;
  readonly #pending = new Map<number, Pending>();
  #port: MessagePort;
  #lastId = 0;
  #heard = false;
  #closed: RaftError | null = null;

  /** Connects; the worker may be listening already, or not yet. */
  constructor(worker: WorkerEnd, listener: WorkerListener) {
    this.#worker = worker;
    this.#listener = listener;
    this.#port = this.#connect();
    worker.addEventListener("message", this.#onMessage);
    worker.addEventListener("error", this.#onError);
  }

  /** Calls by name. @throws {RaftError} what the worker says; `aborted`, outcome unknown; or why the port is closed */
  call<K extends CallName>(name: K, input: WorkerCalls[K][0], signal?: AbortSignal): Promise<WorkerCalls[K][1]> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#closed !== null) throw this.#closed;
      if (signal?.aborted) throw new RaftError("aborted", "the request was aborted", { cause: signal.reason });
      const id = ++this.#lastId;
      const onAbort = (): void => {
        settle();
        this.#post({ type: "abort", id });
        reject(new RaftError("aborted", "the request was aborted", { outcome: "unknown", cause: signal?.reason }));
      };
      const settle = (): void => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", onAbort);
      };
      signal?.addEventListener("abort", onAbort);
      this.#pending.set(id, {
        resolve: (output) => (settle(), resolve(output)),
        reject: (error) => (settle(), reject(error)),
      });
      this.#post({ type: "call", id, name, input } as ToWorker);
    }) as Promise<WorkerCalls[K][1]>;
  }

  /** Hears of the node's events of this name, or no longer. */
  observe(event: keyof RaftNodeEventMap, on: boolean): void {
    if (this.#closed === null) this.#post({ type: "observe", event, on });
  }

  /** Ends every call that waits, and all that come. */
  close(error: RaftError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#worker.removeEventListener("message", this.#onMessage);
    this.#worker.removeEventListener("error", this.#onError);
    this.#port.close();
    const { code, message, hint } = error;
    // What was sent may have been carried out before.
    for (const { reject } of [...this.#pending.values()]) {
      reject(new RaftError(code, message, { hint, outcome: "unknown", cause: error }));
    }
  }

  #post(message: ToWorker): void {
    this.#port.postMessage(message);
  }

  #connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => this.#receive(data as ToPage);
    this.#worker.postMessage({ raftCore: "connect", port: port2 } satisfies Connect, [port2]);
    return port1;
  }

  /** The worker listens from now on. What was posted before went nowhere, unless it has answered. */
  readonly #onMessage = (event: Event): void => {
    const { data } = event as MessageEvent<Partial<Listening> | null>;
    if (typeof data !== "object" || data?.raftCore !== "listening" || this.#heard) return;
    this.#port.close();
    this.#port = this.#connect();
  };

  readonly #onError = (event: Event): void => {
    if (this.#heard) return;
    const { message } = event as Partial<ErrorEvent>;
    this.#listener.failed(
      new RaftError("internal", `The worker's script failed: ${message ?? "it could not be loaded"}`, {
        hint: "The browser's console has the rest.",
      }),
    );
  };

  #receive(message: ToPage): void {
    this.#heard = true;
    if (message.type === "opened") this.#listener.opened(message);
    else if (message.type === "life") this.#listener.life(message);
    else if (message.type === "leads") this.#listener.leads(message.leads);
    else if (message.type === "event") this.#listener.event(message.event, message.detail);
    else if (message.type === "answer") this.#pending.get(message.id)?.resolve(message.output);
    else this.#pending.get(message.id)?.reject(errorFromClone(message.error));
  }
}
