/**
 * One port for everything: HTTP/1.1 and HTTP/2 in clear text (h2c).
 *
 * @module
 */

/** Answers a request. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** Options of a listener. */
export interface ListenOptions {
  /** A host name or address, without brackets. */
  readonly hostname: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Answers every request. */
  readonly handler: FetchHandler;
}

/** A port that is being listened on. */
export interface Listener {
  /** The address that it listens on. */
  readonly hostname: string;
  /** The real one, also if 0 was asked for. */
  readonly port: number;
  /**
   * Takes no new connection, lets requests end for `graceMs`, then cuts what is
   * left (streams between nodes never end by themselves).
   */
  close(graceMs?: number): Promise<void>;
}

/** Why a port couldn't be had, in a sentence that says what to do. */
export function listenError(options: ListenOptions, error: unknown): Error {
  const where = `${options.hostname.includes(":") ? `[${options.hostname}]` : options.hostname}:${options.port}`;
  const code = (error as { readonly code?: unknown } | null)?.code;
  const name = (error as { readonly name?: unknown } | null)?.name;
  if (code === "EADDRINUSE" || name === "AddrInUse") {
    return new Error(`${where} is in use by another process. Stop that one, or choose another port.`, { cause: error });
  }
  if (code === "EADDRNOTAVAIL" || name === "AddrNotAvailable") {
    return new Error(`${where} is no address of this machine.`, { cause: error });
  }
  if (code === "EACCES" || name === "PermissionDenied" || name === "NotCapable") {
    return new Error(`Not allowed to listen on ${where}.`, { cause: error });
  }
  return new Error(`Can't listen on ${where}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

/**
 * Listens by what the runtime has: `Deno.serve`, or node:http and node:http2
 * under Node and Bun.
 *
 * @throws {Error} with a message for the user, such as that the port is in use.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  if ("Deno" in globalThis) {
    const { listenDeno } = await import("./listen_deno.ts");
    return listenDeno(options);
  }
  const { listenNode } = await import("./listen_node.ts");
  return await listenNode(options);
}
