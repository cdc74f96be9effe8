/**
 * A client beside an attack: small requests at a fixed rate, whatever the answers to the ones before take.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { open, pause } from "../fuzz/raw_socket.ts";
import { requestHead } from "./attack.ts";
import type { Node } from "../support/server_processes.ts";

const INTERVAL_MS = 100;
/** The pause of a client that was refused, before it tries again. */
const RETRY_MS = 50;
/** The time after which a request is taken for one that is never answered. */
const GIVE_UP_MS = 20_000;

/** The time that requests took from when they were due until they were served, refusals included. */
export interface Latency {
  readonly requests: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** The most processor time that the server used while a request waited: unlike the wait, it tells of the server alone. */
  readonly worstCpuMs: number;
}

/** Returns the processor time that a process has used, in milliseconds; NaN if it has ended. */
function cpuMs(pid: number | undefined): number {
  try {
    const [user = "", system = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ").slice(11);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return NaN;
  }
}

/** Sends a request on a connection of its own; resolves with whether it was served. */
function ask(address: string, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open(address);
    const done = (served: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(served);
    };
    const timer = setTimeout(() => done(false), GIVE_UP_MS);
    socket.once("data", (data: Uint8Array) => done(/^HTTP\/1.1 2/.test(new TextDecoder().decode(data))));
    socket.once("close", () => done(false));
    socket.once("connect", () => void socket.write(text));
  });
}

/** The client. */
export class Beside {
  readonly #address: string;
  readonly #text: string;
  readonly #pid: number | undefined;
  readonly #tookMs: number[] = [];
  #worstCpuMs = 0;
  readonly #under = new Set<Promise<void>>();
  #stopped = false;

  /** @param write false for reads of this node's own copy */
  constructor({ address, pid }: Pick<Node, "address" | "pid">, write: boolean) {
    this.#pid = pid;
    this.#address = address;
    this.#text = write
      ? `${requestHead("PUT /kv/beside", "connection: close", "content-length: 1")}x`
      : requestHead("GET /kv?limit=1&keys&consistency=stale", "connection: close");
  }

  /** Asks every 100 ms until it is stopped. */
  async run(): Promise<void> {
    for (let due = performance.now(); !this.#stopped; due += INTERVAL_MS) {
      await pause(Math.max(0, due - performance.now()));
      if (this.#stopped) return;
      const served = this.#serve(due).finally(() => this.#under.delete(served));
      this.#under.add(served);
    }
  }

  /** Asks no more, and waits for what is under way, up to `withinMs`; what is not served by then counts as that long. */
  async stop(withinMs: number): Promise<Latency> {
    this.#stopped = true;
    const rest = [...this.#under];
    await Promise.race([Promise.all(rest), pause(withinMs)]);
    const late = this.#under.size;
    const all = [...this.#tookMs, ...new Array<number>(late).fill(withinMs)].sort((a, b) => a - b);
    const at = (part: number): number => Math.round(all[Math.min(all.length - 1, Math.floor(all.length * part))] ?? 0);
    return { requests: all.length, medianMs: at(0.5), p99Ms: at(0.99), worstMs: at(1), worstCpuMs: this.#worstCpuMs };
  }

  async #serve(due: number): Promise<void> {
    const before = cpuMs(this.#pid);
    while (!await ask(this.#address, this.#text)) await pause(RETRY_MS);
    this.#tookMs.push(performance.now() - due);
    this.#worstCpuMs = Math.max(this.#worstCpuMs, cpuMs(this.#pid) - before);
  }
}
