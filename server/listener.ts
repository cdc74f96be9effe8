/**
 * A port that listens, whatever the runtime.
 *
 * @module
 */

import { messageOf } from "../lib/node/errors.ts";
import type { ListenAddress } from "./addresses.ts";
import { urlHost } from "./addresses.ts";

/** Answers a request. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** Options of a listener. */
export interface ListenOptions extends ListenAddress {
  /** Answers every request. */
  readonly handler: FetchHandler;
}

/** An open port: the address that it listens on, with the actual port even if 0 was asked for. */
export interface Listener extends ListenAddress {
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
