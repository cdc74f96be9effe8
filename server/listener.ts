/**
 * A port that listens, whatever the runtime.
 *
 * @module
 */

/** Answers a request. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** Options of a listener. */
export interface ListenOptions {
  /** A host name or address, without brackets. */
  readonly hostname: string;
  /** The port; 0 for any free one. */
  readonly port: number;
  /** Answers every request. */
  readonly handler: FetchHandler;
}

/** An open port. */
export interface Listener {
  /** The address that it listens on. */
  readonly hostname: string;
  /** The actual port, also if 0 was asked for. */
  readonly port: number;
  /**
   * Takes no new connections, waits up to `graceMs` for requests to end, then cuts
   * the rest (streams between nodes never end by themselves).
   */
  close(graceMs?: number): Promise<void>;
}

/** Returns the error for a port that could not be opened, with the next step where there is one. */
export function listenError(options: ListenOptions, error: unknown): Error {
  const where = `${options.hostname.includes(":") ? `[${options.hostname}]` : options.hostname}:${options.port}`;
  const code = (error as { readonly code?: unknown } | null)?.code;
  const name = (error as { readonly name?: unknown } | null)?.name;
  if (code === "EADDRINUSE" || name === "AddrInUse") {
    return new Error(`${where} is in use by another process; stop it, or choose another port`, { cause: error });
  }
  if (code === "EADDRNOTAVAIL" || name === "AddrNotAvailable") {
    return new Error(`${where} is not an address of this machine`, { cause: error });
  }
  if (code === "EACCES" || name === "PermissionDenied" || name === "NotCapable") {
    return new Error(`no permission to listen on ${where}`, { cause: error });
  }
  return new Error(`can't listen on ${where}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
