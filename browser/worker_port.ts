/**
 * The page's side of the connection to the worker of its node.
 */

import { CallTable } from "../lib/call_table.ts";
import { RaftError } from "../lib/errors.ts";
import type { RaftNodeEventMap } from "../lib/node/types.ts";
import type { CallName, Connect, Listening, ToPage, ToWorker, WorkerCalls } from "./protocol.ts";

/** The part of a `Worker` that a page needs. */
export interface WorkerEnd {
  /** Posts to the worker. */
  postMessage(message: unknown, transfer: MessagePort[]): void;
  /** Listens to its messages, and to errors that its script did not catch. */
  addEventListener(type: "message" | "error", listener: (event: Event) => void): void;
  /** Removes a listener. */
  removeEventListener(type: "message" | "error", listener: (event: Event) => void): void;
}

/** Handles the messages that are not answers. */
export interface WorkerListener {
  opened(message: ToPage & { readonly type: "opened" }): void;
  life(message: ToPage & { readonly type: "life" }): void;
  leads(leads: boolean): void;
  event(event: keyof RaftNodeEventMap, detail: unknown): void;
  /** The worker's script failed before it listened. */
  failed(error: RaftError): void;
}

/** Calls the worker; every call ends. A call made before the worker's first message may be lost. */
export class WorkerPort {
  readonly #worker: WorkerEnd;
  readonly #listener: WorkerListener;
  readonly #calls = new CallTable<unknown>();
  #port: MessagePort;
  #heard = false;
  #closed = false;

  /** Connects. The worker may be listening already, or not yet. */
  constructor(worker: WorkerEnd, listener: WorkerListener) {
    this.#worker = worker;
    this.#listener = listener;
    this.#port = this.#connect();
    worker.addEventListener("message", this.#onMessage);
    worker.addEventListener("error", this.#onError);
  }

  /** Calls by name. @throws {RaftError} the worker's error; `aborted`, outcome unknown; or the reason why the port is closed */
  call<K extends CallName>(name: K, input: WorkerCalls[K][0], signal?: AbortSignal): Promise<WorkerCalls[K][1]> {
    return this.#calls.call({
      signal,
      post: (id) => this.#post({ type: "call", id, name, input } as ToWorker),
      onGivenUp: (id) => this.#post({ type: "abort", id }),
    }) as Promise<WorkerCalls[K][1]>;
  }

  /** Starts or stops receiving the node's events of this name. */
  observe(event: keyof RaftNodeEventMap, on: boolean): void {
    if (!this.#closed) this.#post({ type: "observe", event, on });
  }

  /** Ends all pending calls and refuses new ones. */
  close(error: RaftError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#worker.removeEventListener("message", this.#onMessage);
    this.#worker.removeEventListener("error", this.#onError);
    this.#port.close();
    this.#calls.close(error);
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

  /** Connects again once the worker listens: earlier messages were lost, unless it has answered. */
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
      new RaftError("internal", `the worker's script failed: ${message ?? "it could not be loaded"}`, {
        hint: "See the browser's console.",
      }),
    );
  };

  #receive(message: ToPage): void {
    this.#heard = true;
    if (message.type === "opened") this.#listener.opened(message);
    else if (message.type === "life") this.#listener.life(message);
    else if (message.type === "leads") this.#listener.leads(message.leads);
    else if (message.type === "event") this.#listener.event(message.event, message.detail);
    else if (message.type === "answer") this.#calls.answered(message.id, message.output);
    else this.#calls.answered(message.id, RaftError.fromJSON(message.error));
  }
}
