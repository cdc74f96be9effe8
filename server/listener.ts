/**
 * A port that listens, whatever the runtime.
 *
 * @module
 */

import { messageOf } from "../lib/node/errors.ts";
import type { ListenAddress } from "./addresses.ts";
import { urlHost } from "./addresses.ts";
import type { ConnectionCounts, ConnectionLimits } from "./connections.ts";
import type { Logger } from "./log.ts";
import { problem, problemResponse } from "./problem.ts";

/**
 * The connections that wait to be accepted, up to what the system allows. One beyond is not refused: its client tries
 * again after seconds.
 */
export const BACKLOG = 4096;

/** Answers a request. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** Options of a listener. */
export interface ListenOptions extends ListenAddress {
  /** Answers every request. */
  readonly handler: FetchHandler;
  /** The limits of its connections. */
  readonly limits?: ConnectionLimits;
  /** Learns when the limit is reached, and when that is over. */
  readonly logger?: Logger;
}

/** An open port: the address that it listens on, with the actual port even if 0 was asked for. */
export interface Listener extends ListenAddress {
  /** The counts of its connections so far. */
  readonly counts: ConnectionCounts;
  /**
   * Takes no new connections, waits up to `graceMs` for requests to end, then cuts
   * the rest (streams between nodes never end by themselves).
   */
  close(graceMs?: number): Promise<void>;
}

/** Returns the error for a port that could not be opened, with the next step where there is one. */
export function listenError({ hostname, port }: ListenAddress, cause: unknown): Error {
  const where = `${urlHost(hostname)}:${port}`;
  const { code, name } = Object(cause) as { readonly code?: unknown; readonly name?: unknown };
  const is = (...causes: readonly string[]): boolean => causes.includes(String(code)) || causes.includes(String(name));
  const message = is("EADDRINUSE", "AddrInUse")
    ? `${where} is in use by another process; stop it, or choose another port`
    : is("EADDRNOTAVAIL", "AddrNotAvailable")
    ? `${where} is not an address of this machine`
    : is("EACCES", "PermissionDenied", "NotCapable")
    ? `no permission to listen on ${where}`
    : `can't listen on ${where}: ${messageOf(cause)}`;
  return new Error(message, { cause });
}

/** Returns the answer to a request on a connection over the limit; it is to be sent again on a connection of its own. */
export function noRoom(): Response {
  const busy = problem("busy", "this node has as many connections as it takes; nothing was changed", {
    hint: "Try again later, or another node; raise --max-connections if this is usual.",
  });
  return problemResponse(busy, { connection: "close" });
}
