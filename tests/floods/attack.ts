/**
 * The means of an attack: sockets that send any bytes, and counts of what the server refused.
 *
 * @module
 */

import type { Socket } from "node:net";
import { open, pause } from "../fuzz/raw_socket.ts";

/** The server under attack. */
export interface Target {
  readonly address: string;
  readonly id: string;
  readonly clusterId: string;
}

/** A kind of attack. */
export interface Flood {
  /** A name of a few words. */
  readonly name: string;
  /** The limit of open files of the server. @default that of this process */
  readonly openFiles?: number;
  /** Set if it needs a cluster of three: a follower is attacked, and its leader hangs. */
  readonly hangsLeader?: boolean;
  /** Writes what the attack will ask for, while no clock runs. */
  prepare?(target: Target): Promise<void>;
  /** Attacks until {@linkcode Attack.over}. */
  run(attack: Attack): Promise<void>;
}

/** The answers and ends of connections that mean "no". */
const REFUSAL = /^HTTP\/1\.[01] (4|503|504)/;

/** One attack on one server, for a limited time. */
export class Attack {
  readonly target: Target;
  /** Connections that were opened. */
  opened = 0;
  /** Connections that were refused or cut off, and answers that refused a request. */
  refused = 0;
  readonly #endMs: number;
  readonly #sockets = new Set<Socket>();

  constructor(target: Target, seconds: number) {
    this.target = target;
    this.#endMs = performance.now() + seconds * 1000;
  }

  /** True once the time is over. */
  get over(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Resolves when the time is over. */
  async rest(): Promise<void> {
    await pause(Math.max(0, this.#endMs - performance.now()));
  }

  /** Opens a connection and sends bytes. It is not read unless `reads` says so, and stays open. */
  hold(bytes: Uint8Array | string, reads = false): Socket {
    const socket = open(this.target.address);
    this.opened++;
    this.#sockets.add(socket);
    if (reads) socket.once("data", (data: Uint8Array) => this.#look(data));
    else socket.pause();
    socket.once("close", () => {
      if (this.#sockets.delete(socket)) this.refused++;
    });
    socket.once("connect", () => {
      socket.setNoDelay();
      if (bytes.length > 0) socket.write(bytes);
    });
    return socket;
  }

  /** Opens many connections with the same bytes, a few at a time, so that each is accepted. */
  async holdMany(count: number, bytes: Uint8Array | string, reads = false): Promise<void> {
    for (let at = 0; at < count && !this.over; at++) {
      this.hold(bytes, reads);
      if (at % 50 === 49) await pause(5);
    }
  }

  /** Sends chunks on a connection of its own as fast as the server takes them; ends with it, or with the time. */
  async stream(head: Uint8Array | string, chunks: Iterable<Uint8Array | string>, reads = true): Promise<void> {
    const socket = this.hold(head, reads);
    let closed = false;
    socket.once("close", () => void (closed = true));
    for (const chunk of chunks) {
      if (closed || this.over) break;
      if (!socket.write(chunk)) await this.#drained(socket);
    }
    if (!closed) await this.#answered(socket);
    this.close(socket);
  }

  /** Closes a connection, which counts as no refusal. */
  close(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.destroy();
  }

  /** Sends one request over and over, on a few connections at a time, each new; counts the refusals. */
  async post(lanes: number, path: string, body: Uint8Array<ArrayBuffer> | string, headers: HeadersInit): Promise<void> {
    const url = `${this.target.address}${path}`;
    const lane = async (): Promise<void> => {
      while (!this.over) {
        this.opened++;
        try {
          const response = await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(10_000) });
          await response.body?.cancel();
          if (!response.ok) this.refused++;
        } catch {
          this.refused++;
          await pause(10);
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** Runs `work` again and again in a few lanes, until the time is over. */
  async repeat(lanes: number, work: () => Promise<void>): Promise<void> {
    const lane = async (): Promise<void> => {
      while (!this.over) {
        await work();
        await pause(1);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** Closes all connections. */
  end(): void {
    for (const socket of [...this.#sockets]) this.close(socket);
  }

  #look(data: Uint8Array): void {
    if (REFUSAL.test(new TextDecoder("latin1").decode(data.subarray(0, 20)))) this.refused++;
  }

  #drained(socket: Socket): Promise<void> {
    return this.#either(socket, "drain", Infinity);
  }

  /** Waits for an answer, the end of the connection, or some time. */
  #answered(socket: Socket): Promise<void> {
    return this.#either(socket, "data", 1000);
  }

  #either(socket: Socket, event: "drain" | "data", withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        socket.off(event, done).off("close", done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, Math.min(withinMs, this.#endMs - performance.now())));
      socket.once(event, done).once("close", done);
    });
  }
}

/** Returns the head of a request over HTTP/1.1. */
export function requestHead(line: string, ...headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, "host: 127.0.0.1", ...headers, "", ""].join("\r\n");
}

/** Returns the head of a Connect call. */
export function callHead(method: string, type: string, ...headers: readonly string[]): string {
  return requestHead(`POST /raft.v1.${method}`, `content-type: application/${type}`, ...headers);
}

/** Writes values of a size, as a client would. */
export async function putValues({ address }: Target, count: number, bytes: number): Promise<void> {
  const body = new Uint8Array(bytes).fill(118);
  for (let at = 0; at < count; at++) {
    const response = await fetch(`${address}/kv/flood/${at}`, { method: "PUT", body });
    await response.body?.cancel();
  }
}
