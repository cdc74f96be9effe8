/** Transports at a far end: in a worker, or on another page of the same origin. See tab_peer.ts. */

import type { Envelope, Receive, Transport } from "../../lib/transport.ts";
import type { Order, Report } from "./tab_peer.ts";

type Without<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;

/** One far end. */
export class FarEnd {
  readonly #post: (message: unknown, transfer: Transferable[]) => void;
  readonly #dispose: () => void;
  readonly #ready = Promise.withResolvers<void>();
  readonly #orders = new Map<number, PromiseWithResolvers<void>>();
  readonly #receivers = new Map<number, (envelope: Envelope) => void>();
  #lastNumber = 0;
  #lastId = 0;

  private constructor(
    post: (message: unknown, transfer: Transferable[]) => void,
    listen: (heard: (event: MessageEvent<Report>) => void) => void,
    dispose: () => void,
  ) {
    this.#post = post;
    this.#dispose = dispose;
    listen(({ data }) => this.#heard(data));
  }

  /** Starts a far end in a worker of this page. */
  static async worker(): Promise<FarEnd> {
    const worker = new Worker("/tests/browser/tab_peer.js", { type: "module" });
    const end = new FarEnd(
      (message, transfer) => worker.postMessage(message, transfer),
      (heard) => worker.onmessage = heard,
      () => worker.terminate(),
    );
    await end.#ready.promise;
    return end;
  }

  /** Opens a far end on a page of its own. */
  static async page(): Promise<FarEnd> {
    const name = crypto.randomUUID();
    const control = new BroadcastChannel(`control ${name}`);
    const end: FarEnd = new FarEnd(
      (message) => control.postMessage(message),
      (heard) => control.onmessage = heard,
      () => {
        end.die();
        control.close();
      },
    );
    const { open } = globalThis as unknown as { open(url: string, target: string, features: string): unknown };
    open(`/tests/browser/tab_peer.html?name=${name}`, "_blank", "noopener");
    await end.#ready.promise;
    return end;
  }

  /** Makes it hang: it no longer does or answers anything. */
  hang(): void {
    void this.#order({ op: "hang" });
  }

  /** Ends it at once, without a goodbye, like a tab that is closed. */
  die(): void {
    void this.#order({ op: "die" });
  }

  /** Ends it from here: terminates the worker, or closes the page. */
  dispose(): void {
    this.#dispose();
  }

  /** Opens a transport. */
  open(
    address: string,
    clusterId: string,
    options: Extract<Order, { op: "open" }>["options"] = {},
  ): FarTransport {
    const id = ++this.#lastId;
    void this.#order({ op: "open", id, address, clusterId, options });
    return new FarTransport(
      (order, transfer = []) => this.#order({ ...order, id } as Order, transfer),
      (receive) => receive === undefined ? void this.#receivers.delete(id) : void this.#receivers.set(id, receive),
    );
  }

  async #order(order: Order, transfer: Transferable[] = []): Promise<void> {
    const number = ++this.#lastNumber;
    const waiting = Promise.withResolvers<void>();
    if (order.op !== "send") this.#orders.set(number, waiting);
    else waiting.resolve();
    this.#post({ number, order }, transfer);
    await waiting.promise;
  }

  #heard(report: Report): void {
    if ("ready" in report) this.#ready.resolve();
    else if ("envelope" in report) this.#receivers.get(report.id)?.(report.envelope);
    else if (report.failure === "") this.#orders.get(report.done)?.resolve();
    else this.#orders.get(report.done)?.reject(new Error(`at the far end: ${report.failure}`));
  }
}

/** A transport at the far end. */
export class FarTransport implements Transport {
  readonly #order: (order: Without<Exclude<Order, { op: "hang" | "die" | "open" }>, "id">) => Promise<void>;
  readonly #receive: (receive: ((envelope: Envelope) => void) | undefined) => void;

  constructor(
    order: (order: Without<Exclude<Order, { op: "hang" | "die" | "open" }>, "id">) => Promise<void>,
    receive: (receive: ((envelope: Envelope) => void) | undefined) => void,
  ) {
    this.#order = order;
    this.#receive = receive;
  }

  async start(receive: Receive): Promise<void> {
    this.#receive(receive);
    await this.#order({ op: "start" });
  }

  send(to: string, envelope: Envelope): void {
    void this.#order({ op: "send", to, envelope });
  }

  async close(): Promise<void> {
    await this.#order({ op: "close" });
    this.#receive(undefined);
  }

  /** Accepts calls, and never answers. */
  async serveForever(): Promise<void> {
    await this.#order({ op: "serveForever" });
  }

  /** Starts a node there, in a cluster of all these addresses. */
  async startNode(nodeId: string, addresses: readonly string[]): Promise<void> {
    await this.#order({ op: "node", nodeId, addresses });
  }
}
