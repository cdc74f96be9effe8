/**
 * A network of byte streams in virtual time. A request is a connection of its own, with a stream of bytes in each
 * direction: pieces are delayed, wait while a link is cut, and a connection may be reset, or be half-open from some
 * moment on, when nothing arrives any more and neither side learns of it. A side that does not read holds the other
 * one up.
 *
 * @module
 */

import type { Stream } from "../../../simulation/decisions.ts";
import type { World } from "./world.ts";

/** Answers the requests to one address. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** The kinds and frequency of faults. */
export interface NetworkTraits {
  readonly leastDelayMs: number;
  readonly spreadDelayMs: number;
  /** The probability that a connection is reset, or becomes half-open, at some piece. */
  readonly resets: number;
  readonly halfOpen: number;
  /** The largest piece, in bytes. */
  readonly pieceBytes: number;
}

/** The longest time that a connection waits for a link that is cut. */
const CUT_MS = 4000;
/** The most pieces before a fault of a connection. */
const FAULT_PIECES = 12;

/** The end of a connection, as a client's `fetch` reports it. */
function broken(code: string): TypeError {
  return new TypeError("the connection failed", { cause: Object.assign(new Error(code), { code }) });
}

export class ByteNetwork {
  readonly #world: World;
  readonly #traits: NetworkTraits;
  readonly #handlers = new Map<string, Handler>();
  readonly #cuts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  readonly #connections = new Set<Connection>();
  readonly #lastTroubleMs = new Map<string, number>();
  readonly #onHalfOpen = new Map<string, () => void>();
  /** Set once no connection fails any more. */
  calm = false;

  constructor(world: World, traits: NetworkTraits) {
    this.#world = world;
    this.#traits = traits;
  }

  /** The connections that have not ended. */
  get open(): number {
    return this.#connections.size;
  }

  /** Reports whether a link is cut, or was, or a connection over it has failed, in the last so many milliseconds. */
  troubled(from: string, to: string, withinMs: number): boolean {
    const sinceMs = this.#world.nowMs - withinMs;
    return this.isCut(from, to) || (this.#lastTroubleMs.get(`${from} ${to}`) ?? -Infinity) >= sinceMs;
  }

  noteTrouble(from: string, to: string): void {
    this.#lastTroubleMs.set(`${from} ${to}`, this.#world.nowMs);
    this.#lastTroubleMs.set(`${to} ${from}`, this.#world.nowMs);
  }

  /** Calls `act` when the next connection becomes half-open. */
  onHalfOpen(from: string, to: string, act: () => void): void {
    this.#onHalfOpen.set(`${from} ${to}`, act);
  }

  halfOpen(from: string, to: string): void {
    this.#onHalfOpen.get(`${from} ${to}`)?.();
  }

  listen(address: string, handler: Handler): void {
    this.#handlers.set(address, handler);
  }

  /** Acts like the end of a server's process: its connections are reset, and new ones refused. */
  unlisten(address: string): void {
    this.#handlers.delete(address);
    for (const connection of [...this.#connections]) {
      if (connection.to === address || connection.from === address) connection.reset();
    }
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(`${from} ${to}`) ?? 0) > 0;
  }

  /** Cuts the link between two addresses; returns a function that mends it. */
  cut(a: string, b: string): () => void {
    const add = (by: number): void => {
      for (const way of [`${a} ${b}`, `${b} ${a}`]) this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + by);
      this.noteTrouble(a, b);
    };
    add(1);
    let mended = false;
    return () => {
      if (mended) return;
      mended = true;
      add(-1);
      for (const wake of [...this.#waiting]) wake();
    };
  }

  /** Returns the `fetch` of a machine. */
  fetch(from: string): (url: string, init?: RequestInit) => Promise<Response> {
    return async (url, init = {}) => {
      init.signal?.throwIfAborted();
      const to = new URL(url).origin;
      const connection = new Connection(this, this.#world, this.#traits, from, to);
      this.#connections.add(connection);
      connection.onEnd = () => void this.#connections.delete(connection);
      return await connection.request(url, init, () => this.#handlers.get(to));
    };
  }

  /** Waits while a link is cut; resolves with false if that takes too long. */
  async passage(from: string, to: string): Promise<boolean> {
    const untilMs = this.#world.nowMs + CUT_MS;
    while (this.isCut(from, to)) {
      if (this.#world.nowMs >= untilMs) return false;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          cancel();
          resolve();
        };
        const cancel = this.#world.run.scheduler.after((untilMs - this.#world.nowMs) * 1000 + 1, null, wake);
        this.#waiting.add(wake);
      });
    }
    return true;
  }
}

type Source = ReadableStreamDefaultReader<Uint8Array>;

/** One connection, for one request. */
class Connection {
  readonly from: string;
  readonly to: string;
  onEnd: () => void = () => {};
  readonly #network: ByteNetwork;
  readonly #world: World;
  readonly #traits: NetworkTraits;
  readonly #chance: Stream;
  /** The piece with which it fails; -1 for none. */
  readonly #fault: { readonly piece: number; readonly kind: "reset" | "half-open" };
  #pieces = 0;
  /** Ends what the server does for it. */
  readonly #server = new AbortController();
  /** Rejects for the client. */
  readonly #ended = Promise.withResolvers<never>();
  #over = false;
  /** The streams whose ends are still to come. */
  #streams = 0;

  constructor(network: ByteNetwork, world: World, traits: NetworkTraits, from: string, to: string) {
    this.#network = network;
    this.#world = world;
    this.#traits = traits;
    this.from = from;
    this.to = to;
    const chance = this.#chance = world.run.decisions.stream(`link ${from} ${to}`).next();
    const kind = chance.chance(traits.halfOpen / (traits.halfOpen + traits.resets || 1)) ? "half-open" : "reset";
    const fails = !network.calm && chance.chance(traits.halfOpen + traits.resets);
    this.#fault = { piece: fails ? chance.between(1, FAULT_PIECES) : -1, kind };
    this.#ended.promise.catch(() => {});
  }

  async request(url: string, init: RequestInit, handler: () => Handler | undefined): Promise<Response> {
    const { signal } = init;
    signal?.addEventListener("abort", () => this.#abort(signal.reason));
    return await Promise.race([this.#ended.promise, this.#carry(url, init, handler)]);
  }

  /** Resets it: both sides learn of it. */
  reset(): void {
    if (this.#over) return;
    this.#world.run.trace.count("connection reset");
    this.#end(broken("ECONNRESET"));
    this.#server.abort(new DOMException("the connection was reset", "AbortError"));
  }

  async #carry(url: string, init: RequestInit, handler: () => Handler | undefined): Promise<Response> {
    await this.#hop(this.from, this.to);
    const answers = handler();
    if (answers === undefined) {
      await this.#hop(this.to, this.from);
      this.#end(broken("ECONNREFUSED"));
      return await this.#ended.promise;
    }
    const { body, method = "GET", headers = {} } = init;
    const source = body === null || body === undefined ? null : new Response(body).body;
    const sent = new Headers(headers);
    if (body instanceof Uint8Array || typeof body === "string") {
      sent.set(
        "content-length",
        String(typeof body === "string" ? new TextEncoder().encode(body).length : body.length),
      );
    }
    const upward = source === null ? {} : { body: this.#pipe(source.getReader(), this.from, this.to), duplex: "half" };
    const request = new Request(url, { method, headers: sent, signal: this.#server.signal, ...upward });
    let response: Response;
    try {
      response = await answers(request);
    } catch (error) {
      this.#world.fail(`a server failed: ${error}`);
      return await this.#ended.promise;
    }
    await this.#hop(this.to, this.from);
    const { status, headers: answered } = response;
    if (response.body === null) {
      this.#end(null);
      return new Response(null, { status, headers: answered });
    }
    const reader = response.body.getReader();
    const downward = this.#pipe(reader, this.to, this.from, () => this.#end(null));
    return new Response(downward, { status, headers: answered });
  }

  /** Carries bytes from a reader to a stream, one piece at a time, no faster than the other side reads. */
  #pipe(source: Source, from: string, to: string, atEnd = () => {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    let left: Uint8Array = new Uint8Array(0);
    this.#streams++;
    const stop = (reason: unknown): void => void source.cancel(reason).catch(() => {});
    this.#server.signal.addEventListener("abort", () => stop(this.#server.signal.reason));
    return new ReadableStream({
      pull: async (controller) => {
        try {
          if (left.length === 0) {
            const read = await source.read();
            if (read.done) {
              await this.#hop(from, to);
              controller.close();
              return atEnd();
            }
            left = read.value;
          }
          const piece = left.slice(0, 1 + this.#chance.next().below(this.#traits.pieceBytes));
          left = left.subarray(piece.length);
          await this.#hop(from, to);
          controller.enqueue(piece);
        } catch (error) {
          controller.error(error);
          this.reset();
        }
      },
      cancel: (reason) => {
        stop(reason);
        // A client that reads no more closes the connection.
        if (to === this.from) this.#abort(reason);
      },
    }, { highWaterMark: 2 });
  }

  /** Lets a piece travel; never resolves on a half-open connection. */
  async #hop(from: string, to: string): Promise<void> {
    const { leastDelayMs, spreadDelayMs } = this.#traits;
    if (++this.#pieces === this.#fault.piece && !this.#network.calm) {
      this.#network.noteTrouble(from, to);
      if (this.#fault.kind === "reset") this.reset();
      else {
        this.#world.run.trace.count("connection half-open");
        this.#network.halfOpen(this.from, this.to);
        await Promise.race([this.#ended.promise, new Promise(() => {})]);
      }
    }
    const travel = this.#world.sleepMs(leastDelayMs + this.#chance.next().unit() * spreadDelayMs);
    await Promise.race([this.#ended.promise, travel]);
    if (!this.#network.isCut(from, to)) return;
    const passed = await Promise.race([this.#ended.promise, this.#network.passage(from, to)]);
    this.#network.noteTrouble(from, to);
    if (!passed) this.reset();
    if (!passed) await this.#ended.promise;
  }

  /** Ends it for the client, and a moment later for the server, unless the link is cut. */
  #abort(reason: unknown): void {
    if (this.#over) return;
    this.#end(reason);
    const delayMs = this.#traits.leastDelayMs;
    void this.#world.sleepMs(delayMs).then(async () => {
      await this.#network.passage(this.from, this.to);
      this.#server.abort(new DOMException("the client is gone", "AbortError"));
    });
  }

  #end(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    if (reason !== null) this.#ended.reject(reason);
    this.onEnd();
  }
}
