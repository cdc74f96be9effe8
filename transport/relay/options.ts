/**
 * Options and counts of a page's relay.
 */

import type { Host } from "../../lib/clock.ts";
import type { RaftError } from "../../lib/errors.ts";
import type { Locks } from "../packet/locks.ts";
import type { RelayFetch } from "./relay_calls.ts";
import type { LinkOptions, RelayLinkState } from "./server_link.ts";
import { browserLocks } from "./slots.ts";

/** Options of a {@linkcode RelayClient}. Sizes in bytes, times in milliseconds. */
export interface RelayClientOptions {
  /** Base URLs of servers to begin with, one at least. The others of their cluster are learned from them. */
  readonly servers: readonly string[];
  /** Carries calls and streams. @default globalThis.fetch */
  readonly fetch?: RelayFetch;
  /** Where slots for streams are taken; `null` for no such limit. @default navigator.locks, where there is one */
  readonly locks?: Locks | null;
  /** Clock and random source. @default systemHost() */
  readonly host?: Host;
  /** At most this many packets wait for one server. @default 4096 */
  readonly maxQueuedPackets?: number;
  /** At most this many bytes wait for one server. @default 32 MiB */
  readonly maxQueuedBytes?: number;
  /** At most this many bytes go in one call (one packet may be more). @default 1 MiB */
  readonly maxBatchBytes?: number;
  /** The pause after a first failure; doubled by each further one, and shortened by up to a half at random. @default 100 */
  readonly minBackoffMs?: number;
  /** The longest pause. @default 2000 */
  readonly maxBackoffMs?: number;
  /** A server from which nothing comes for this long is connected to again. @default 10000 */
  readonly hangTimeoutMs?: number;
}

/** A server, and how the page is connected to it. */
export interface RelayServer {
  /** Its base URL. */
  readonly url: string;
  /** How it is connected. */
  readonly state: RelayLinkState;
  /** Why it is `waiting` or `failed`. */
  readonly error: RaftError | null;
}

/** Counts of a {@linkcode RelayClient} so far. */
export interface RelayClientCounts {
  /** Packets queued for a server. */
  readonly sent: number;
  /** Packets dropped: no way to the receiver, no room, or a connection that broke. */
  readonly dropped: number;
  /** Packets that came for nodes here. */
  readonly received: number;
  /** Packets that wait now, for all servers. */
  readonly queued: number;
}

const MIB = 1024 * 1024;

/** Returns the options of each link, with their defaults. */
export function linkOptions(options: RelayClientOptions, host: Host): LinkOptions {
  return {
    host,
    fetch: options.fetch,
    locks: options.locks === undefined ? browserLocks() : options.locks,
    maxQueuedPackets: options.maxQueuedPackets ?? 4096,
    maxQueuedBytes: options.maxQueuedBytes ?? 32 * MIB,
    maxBatchBytes: options.maxBatchBytes ?? MIB,
    minBackoffMs: options.minBackoffMs ?? 100,
    maxBackoffMs: options.maxBackoffMs ?? 2000,
    hangTimeoutMs: options.hangTimeoutMs ?? 10_000,
  };
}
