/**
 * The worker's side of the connection to its pages.
 */

import { RaftError } from "../lib/errors.ts";
import type { RaftNodeEventMap } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";
import { cloneDetail } from "./protocol.ts";
import type { CallName, Connect, LifeState, Listening, ToPage, ToWorker, WorkerCalls } from "./protocol.ts";

/** The connection of a worker to its pages. The global scope of a dedicated worker is one. */
export interface PageEnd {
  /** Listens to the messages that a page posts to the worker. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Removes a listener. */
  removeEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Posts to the page that created the worker. */
  postMessage(message: unknown): void;
}

/** Carries out the calls of pages; what a call throws is its failure. */
export type CallTable = {
  readonly [K in CallName]: (
    input: WorkerCalls[K][0],
    signal: AbortSignal,
  ) => WorkerCalls[K][1] | Promise<WorkerCalls[K][1]>;
};

export interface PageLinkOptions {
  readonly end: PageEnd;
  readonly calls: CallTable;
  /** Starts observing an event of the node; returns a function that stops. */
  observe(event: keyof RaftNodeEventMap, report: (detail: object) => void): () => void;
}

/** Returns bytes in a buffer of their own: a clone of a view would copy the whole buffer. */
function ownBytes(output: unknown): unknown {
  if (!(output instanceof Uint8Array) || output.byteLength === output.buffer.byteLength) return output;
  return output.slice();
}

function withOwnBytes(output: unknown): unknown {
  if (Array.isArray(output)) return output.map(withOwnBytes);
  if (typeof output !== "object" || output === null || !("result" in output)) return output;
  return { ...output, result: ownBytes(output.result) };
}

/** Stops the link in use at each end: a worker may start another node after one that failed. */
const answering = new WeakMap<PageEnd, () => void>();

/** Serves every page that connects. */
export class PageLink {
  readonly #options: PageLinkOptions;
  readonly #ports = new Map<MessagePort, Map<string, () => void>>();
  readonly #onMessage = (event: { readonly data: unknown }): void => this.#connected(event.data);
  #opened: ToPage | null = null;
  #life: ToPage | null = null;
  #leads: ToPage | null = null;

  /** Begins to listen, and announces it. */
  constructor(options: PageLinkOptions) {
    this.#options = options;
    const { end } = options;
    answering.get(end)?.();
    answering.set(end, () => end.removeEventListener("message", this.#onMessage));
    end.addEventListener("message", this.#onMessage);
    end.postMessage({ raftCore: "listening" } satisfies Listening);
  }

  /** Announces that the storage is open. */
  opened(id: NodeId, address: string): void {
    this.#opened = { type: "opened", id, address };
    this.#postAll(this.#opened);
  }

  /** Announces the state of the node. */
  life({ life, reason, error }: LifeState): void {
    this.#life = { type: "life", life, reason, error: error === null ? null : error.toJSON() };
    this.#postAll(this.#life);
  }

  /** Announces whether the node leads. */
  leads(leads: boolean): void {
    this.#leads = { type: "leads", leads };
    this.#postAll(this.#leads);
  }

  #connected(data: unknown): void {
    if (typeof data !== "object" || data === null || (data as Partial<Connect>).raftCore !== "connect") return;
    const { port } = data as Connect;
    const observed = new Map<string, () => void>();
    const underWay = new Map<number, AbortController>();
    this.#ports.set(port, observed);
    port.onmessage = ({ data }) => {
      const message = data as ToWorker;
      if (message.type === "call") void this.#call(port, message, underWay);
      else if (message.type === "abort") underWay.get(message.id)?.abort();
      else this.#observe(port, observed, message.event, message.on);
    };
    for (const message of [this.#opened, this.#life, this.#leads]) if (message !== null) port.postMessage(message);
  }

  async #call(
    port: MessagePort,
    message: ToWorker & { readonly type: "call" },
    underWay: Map<number, AbortController>,
  ): Promise<void> {
    const { id, name, input } = message;
    const controller = new AbortController();
    underWay.set(id, controller);
    let answer: ToPage;
    try {
      const call = this.#options.calls[name] as (input: unknown, signal: AbortSignal) => unknown;
      if (call === undefined) throw new RaftError("unsupported", `the worker has no call "${name}"`);
      answer = { type: "answer", id, output: withOwnBytes(await call(input, controller.signal)) };
    } catch (error) {
      answer = { type: "failure", id, error: RaftError.from(error).toJSON() };
    }
    underWay.delete(id);
    port.postMessage(answer);
  }

  #observe(
    port: MessagePort,
    observed: Map<string, () => void>,
    event: keyof RaftNodeEventMap,
    on: boolean,
  ): void {
    observed.get(event)?.();
    observed.delete(event);
    if (!on) return;
    const report = (detail: object): void => {
      port.postMessage({ type: "event", event, detail: cloneDetail(detail) } satisfies ToPage);
    };
    observed.set(event, this.#options.observe(event, report));
  }

  #postAll(message: ToPage): void {
    for (const port of this.#ports.keys()) port.postMessage(message);
  }
}
