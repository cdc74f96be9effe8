/**
 * Options and counts of both sides of a relay.
 */

import type { Host } from "../../lib/clock.ts";
import type { RaftError } from "../../lib/errors.ts";
import { systemHost } from "../../lib/host.ts";
import type { Locks } from "../packet/locks.ts";
import type { Fetch } from "../connect/rpc_types.ts";
import { browserLocks } from "./slots.ts";

/** Options of a {@linkcode RelayClient}. Sizes in bytes, times in milliseconds. */
export interface RelayClientOptions {
  /** Base URLs of servers to begin with, one at least. The others of their cluster are learned from them. */
  readonly servers: readonly string[];
  /** Carries calls and streams. @default globalThis.fetch */
  readonly fetch?: Fetch;
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

/**
 * The state of the connection between a page and a server.
 *
 * - `connecting`: a stream is being opened.
 * - `attached`: packets go both ways.
 * - `waiting`: other tabs hold all the slots for streams.
 * - `failed`: it is tried again soon; the error says what went wrong last.
 * - `closed`: the page no longer uses it.
 */
export type RelayLinkState = "connecting" | "attached" | "waiting" | "failed" | "closed";

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

/** Options of a {@linkcode RelayHub}. Sizes in bytes, times in milliseconds. */
export interface RelayHubOptions {
  /** The advertised address of this server: the sender of its own packets. */
  readonly address: string;
  /** Where the servers of the cluster are reached, as far as is known now. @default none */
  readonly servers?: () => readonly string[];
  /** Clock. @default systemHost() */
  readonly host?: Host;
  /** At most this many pages are attached at a time. @default 1024 */
  readonly maxPages?: number;
  /** At most this many packets wait for one page. @default 4096 */
  readonly maxQueuedPackets?: number;
  /** At most this many bytes wait for one page. @default 32 MiB */
  readonly maxQueuedBytes?: number;
  /** At most this many bytes wait for all pages. @default 256 MiB */
  readonly maxTotalBytes?: number;
  /** At most this many bytes go down a stream together (one packet may be more). @default 1 MiB */
  readonly maxBatchBytes?: number;
  /** The longest pause between two answers of a stream. @default 2000 */
  readonly keepAliveMs?: number;
  /** A page that takes nothing for this long is detached. @default 30000 */
  readonly hangTimeoutMs?: number;
}

/** Counts of a {@linkcode RelayHub} so far. */
export interface RelayCounts {
  /** Pages attached now. */
  readonly pages: number;
  /** Packets put into the queue of a page. */
  readonly toPages: number;
  /** Packets of pages for this server. */
  readonly toServer: number;
  /** Packets dropped: their receiver is not attached, or its queue is full. */
  readonly dropped: number;
  /** Packets of pages that were malformed, or of senders that are not the page's. */
  readonly malformed: number;
  /** Packets that wait now, for all pages. */
  readonly queuedPackets: number;
}

const MIB = 1024 * 1024;

/** Options of a link, with their defaults. */
export type LinkOptions = Required<Omit<RelayClientOptions, "servers">>;

/** Fills in defaults. */
export function linkOptions(options: RelayClientOptions): LinkOptions {
  return {
    host: options.host ?? systemHost(),
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    locks: options.locks === undefined ? browserLocks() : options.locks,
    maxQueuedPackets: options.maxQueuedPackets ?? 4096,
    maxQueuedBytes: options.maxQueuedBytes ?? 32 * MIB,
    maxBatchBytes: options.maxBatchBytes ?? MIB,
    minBackoffMs: options.minBackoffMs ?? 100,
    maxBackoffMs: options.maxBackoffMs ?? 2000,
    hangTimeoutMs: options.hangTimeoutMs ?? 10_000,
  };
}

/** Options of a hub, with their defaults. */
export type HubOptions = Required<Omit<RelayHubOptions, "address">>;

/** Fills in defaults. */
export function hubOptions(options: RelayHubOptions): HubOptions {
  return {
    servers: options.servers ?? (() => []),
    host: options.host ?? systemHost(),
    maxPages: options.maxPages ?? 1024,
    maxQueuedPackets: options.maxQueuedPackets ?? 4096,
    maxQueuedBytes: options.maxQueuedBytes ?? 32 * MIB,
    maxTotalBytes: options.maxTotalBytes ?? 256 * MIB,
    maxBatchBytes: options.maxBatchBytes ?? MIB,
    keepAliveMs: options.keepAliveMs ?? 2000,
    hangTimeoutMs: options.hangTimeoutMs ?? 30_000,
  };
}
