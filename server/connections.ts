/**
 * The connections of a port: how many there may be, and how long one may stay
 * without a request.
 */

import { readFileSync } from "node:fs";
import type { Logger } from "./log.ts";

/** Limits of a port. Times in milliseconds. */
export interface ConnectionLimits {
  /**
   * The most connections at a time. At the limit the one that has been idle for longest makes
   * room for a new one; a few more are taken for peers and operators.
   *
   * @default the room that the limit of open files leaves, at most 4096
   */
  readonly maxConnections?: number;
  /**
   * A new connection without a whole request head by then is closed, and so is one that has
   * begun another head for this long. @default 10000
   */
  readonly headersTimeoutMs?: number;
  /**
   * A connection without a request under way is closed after this long.
   *
   * @default 60000; under Deno the same as `headersTimeoutMs`, because Deno doesn't tell whether a head has begun
   */
  readonly idleTimeoutMs?: number;
}

/** Counts of a port's connections so far. */
export interface ConnectionCounts {
  /** Open now. */
  readonly open: number;
  /** Taken. */
  readonly accepted: number;
  /** Closed or answered with 503 at once, at the limit. */
  readonly refused: number;
  /** Closed while idle, to make room for another. */
  readonly evicted: number;
  /** Closed for want of a request in time. */
  readonly timedOut: number;
  /** Closed because their client aborted too many requests. */
  readonly resetting: number;
}

/** The default of {@linkcode ConnectionLimits.headersTimeoutMs}. */
export const HEADERS_TIMEOUT_MS = 10_000;
/** The most connections that are taken without a setting: idle ones cost some ten kilobytes each. */
const MAX_BY_DEFAULT = 4096;
/** Descriptors for the log, snapshots and links to peers; or an eighth of all, if that is more. */
const RESERVED_DESCRIPTORS = 48;
/** Connections beyond the limit, for the requests of peers and operators alone. */
const EXTRA_CONNECTIONS = 16;
/** A client may abort so many requests at once, and so many per second. */
const RESET_BURST = 100;
const RESETS_PER_SECOND = 33;
/** Time for an answer to leave, before its connection is ended. */
const LEAVE_MS = 100;
/** The limit counts as over once no connection was refused for this long. */
const CALM_MS = 5000;

/** Returns the limit of open files of this process; `null` where it can't be read. */
function openFilesLimit(): number | null {
  const path = "/proc/self/limits";
  try {
    // Deno would ask on the terminal.
    if ("Deno" in globalThis && Deno.permissions.querySync({ name: "read", path }).state !== "granted") return null;
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(path, "utf8"))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** Returns the number of connections that a limit of open files leaves room for. */
export function connectionsWithin(openFiles: number | null): number {
  if (openFiles === null) return MAX_BY_DEFAULT;
  const room = openFiles - Math.max(RESERVED_DESCRIPTORS, openFiles / 8) - EXTRA_CONNECTIONS;
  return Math.max(EXTRA_CONNECTIONS, Math.min(MAX_BY_DEFAULT, Math.floor(room)));
}

/** Calls that are still answered at the limit: those of peers and of operators. */
const PREFERRED = new RegExp(
  "^(http://[^/]*)?/(status|livez|readyz|metrics|raft\\.v1\\.(PeerService/\\w+|AdminService/\\w+|ClientService/Status))(\\?|$)",
);

/** One connection, as the table has it. */
export class Connection {
  /** Cuts it off. */
  readonly end: () => void;
  /** True if it was taken beyond the limit. */
  readonly extra: boolean;
  /** When it became idle. */
  idleSinceMs = 0;
  /** Requests under way. */
  active = 0;
  /** True until its first request begins. */
  isFresh = true;
  #resets = 0;
  #lastResetMs = 0;

  constructor(end: () => void, extra: boolean) {
    this.end = end;
    this.extra = extra;
  }

  /** Notes an aborted request; returns whether there were too many of them of late. */
  reset(nowMs: number): boolean {
    const forgiven = (nowMs - this.#lastResetMs) / 1000 * RESETS_PER_SECOND;
    this.#lastResetMs = nowMs;
    this.#resets = Math.max(0, this.#resets - forgiven) + 1;
    return this.#resets > RESET_BURST;
  }
}

/** Knows the connections of one port, closes those that stay idle, and says once when there are too many. */
export class Connections {
  readonly #max: number;
  readonly #headersTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #logger: Logger | undefined;
  readonly #all = new Set<Connection>();
  /** Those that have sent no request yet, amid a further head, or between two requests; each the longest idle first. */
  readonly #fresh = new Set<Connection>();
  readonly #heading = new Set<Connection>();
  readonly #kept = new Set<Connection>();
  readonly #counts = { accepted: 0, refused: 0, evicted: 0, timedOut: 0, resetting: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Set while the limit is reached: when a connection last met it, and how many were refused before. */
  #full: { lastMs: number; readonly refusedBefore: number } | null = null;
  #empty: (() => void) | undefined;

  constructor(limits: ConnectionLimits, logger?: Logger) {
    this.#max = limits.maxConnections ?? connectionsWithin(openFilesLimit());
    this.#headersTimeoutMs = limits.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    this.#idleTimeoutMs = limits.idleTimeoutMs ?? 60_000;
    this.#logger = logger;
  }

  /** The counts so far. */
  get counts(): ConnectionCounts {
    return { ...this.#counts, open: this.#all.size };
  }

  /** The longest time between two requests. */
  get idleTimeoutMs(): number {
    return this.#idleTimeoutMs;
  }

  /** Takes a connection, which `end` cuts off; returns `null` if it has to be refused. */
  add(end: () => void): Connection | null {
    if (this.#all.size >= this.#max) {
      this.#reached(`the limit of ${this.#max} connections`);
      this.makeRoom();
    }
    if (this.#all.size >= this.#max + EXTRA_CONNECTIONS) {
      this.#counts.refused++;
      return null;
    }
    const connection = new Connection(end, this.#all.size >= this.#max);
    this.#counts.accepted++;
    this.#all.add(connection);
    this.#waits(connection, this.#fresh);
    return connection;
  }

  /** Closes the connection that has been idle for longest, if there is one. */
  makeRoom(): void {
    let longest: Connection | undefined;
    for (const [first] of [this.#fresh, this.#heading, this.#kept]) {
      if (first !== undefined && !(first.idleSinceMs >= (longest?.idleSinceMs ?? Infinity))) longest = first;
    }
    if (longest !== undefined) this.#cut(longest, "evicted");
  }

  /** Notes that the system gave no connection, for want of descriptors or memory. */
  failed(reason: string): void {
    this.#reached(reason);
    this.#counts.refused++;
    this.makeRoom();
  }

  /**
   * Notes that a request begins.
   *
   * @returns false if this connection was taken for peers and operators alone, and the request is another's
   */
  begin(connection: Connection, target: string): boolean {
    connection.active++;
    connection.isFresh = false;
    this.#leave(connection);
    if (!connection.extra || this.#all.size < this.#max || PREFERRED.test(target)) return true;
    this.#counts.refused++;
    setTimeout(() => connection.end(), LEAVE_MS);
    return false;
  }

  /** Notes that a request is over; `aborted` by the client, perhaps. */
  done(connection: Connection, aborted = false): void {
    connection.active--;
    if (!this.#all.has(connection)) return;
    if (aborted && connection.reset(performance.now())) this.#cut(connection, "resetting");
    else if (connection.active === 0) {
      this.#waits(connection, this.#kept);
      this.#empty?.();
    }
  }

  /** Notes that a further request's head has begun to arrive; does nothing the second time. */
  heads(connection: Connection): void {
    if (this.#kept.delete(connection)) this.#waits(connection, this.#heading);
  }

  /** Forgets a connection that is closed. */
  closed(connection: Connection): void {
    this.#leave(connection);
    if (this.#all.delete(connection)) this.#empty?.();
  }

  /** Closes idle connections, waits up to `graceMs` for requests to end, then cuts off the rest. */
  async close(graceMs: number): Promise<void> {
    const isIdle = () => [...this.#all].every(({ active }) => active === 0);
    if (!isIdle()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.#empty = () => isIdle() && (clearTimeout(timer), resolve());
      });
    }
    clearTimeout(this.#timer);
    this.#empty = undefined;
    this.#full = null;
    for (const connection of [...this.#all]) connection.end();
  }

  #leave(connection: Connection): void {
    for (const list of [this.#fresh, this.#heading, this.#kept]) list.delete(connection);
  }

  /** Adds an idle connection to its list. Every list has one timeout, so the first in it is the first to end. */
  #waits(connection: Connection, list: Set<Connection>): void {
    connection.idleSinceMs = performance.now();
    list.add(connection);
    this.#watch();
  }

  /** Looks after the connections, as long as there is something to end. */
  #watch(): void {
    const shortest = Math.min(this.#headersTimeoutMs, this.#idleTimeoutMs);
    this.#timer ??= setTimeout(() => this.#sweep(), Math.max(20, Math.min(1000, shortest / 10)));
  }

  #sweep(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    const lists = [
      [this.#fresh, this.#headersTimeoutMs],
      [this.#heading, this.#headersTimeoutMs],
      [this.#kept, this.#idleTimeoutMs],
    ] as const;
    for (const [list, timeoutMs] of lists) {
      for (const connection of list) {
        if (nowMs - connection.idleSinceMs < timeoutMs) break;
        this.#cut(connection, "timedOut");
      }
    }
    if (this.#full !== null && nowMs - this.#full.lastMs >= CALM_MS) this.#over(this.#full.refusedBefore);
    if (this.#all.size > 0 || this.#full !== null) this.#watch();
  }

  #cut(connection: Connection, why: "evicted" | "timedOut" | "resetting"): void {
    this.#counts[why]++;
    this.closed(connection);
    connection.end();
  }

  #reached(limit: string): void {
    if (this.#full === null) {
      const { refused } = this.#counts;
      this.#full = { lastMs: 0, refusedBefore: refused };
      this.#logger?.warn(`Reached ${limit}: idle connections are closed, new ones may be refused`, {
        open: this.#all.size,
      });
    }
    this.#full.lastMs = performance.now();
    this.#watch();
  }

  #over(refusedBefore: number): void {
    this.#full = null;
    const { refused } = this.#counts;
    this.#logger?.info("Takes new connections again", { open: this.#all.size, refused: refused - refusedBefore });
  }
}
