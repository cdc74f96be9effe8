/**
 * Writing to files under Deno. There `node:fs` writes on the event loop, so that a
 * disk that hangs would stop the whole node with its requests and timers; Deno's own
 * files write in a thread, as Node and Bun do.
 */

/** A file that is open for writing. */
export interface PositionalWriter {
  /** Writes at `position`; resolves with the number of bytes, which may be fewer than given. */
  write(data: Uint8Array, position: number): Promise<number>;
  close(): void;
}

/** The part of `Deno.FsFile` that is needed. */
interface DenoFile {
  write(data: Uint8Array): Promise<number>;
  seekSync(offset: number, whence: number): number;
  close(): void;
}

interface DenoFiles {
  open(path: string, options: { readonly write: true }): Promise<DenoFile>;
}

const FROM_START = 0;

/** Opens an existing file for writing; returns `null` outside Deno. */
export async function openDenoWriter(path: string): Promise<PositionalWriter | null> {
  const deno = (globalThis as { readonly Deno?: DenoFiles }).Deno;
  if (deno === undefined) return null;
  const file = await deno.open(path, { write: true });
  /** The position of the file, which is its own and not the caller's. */
  let at = 0;
  let last: Promise<unknown> = Promise.resolve();
  const write = async (data: Uint8Array, position: number): Promise<number> => {
    if (position !== at) file.seekSync(position, FROM_START);
    at = NaN;
    const written = await file.write(data);
    at = position + written;
    return written;
  };
  return {
    write(data, position) {
      const written = last.then(() => write(data, position));
      last = written.catch(() => {});
      return written;
    },
    close: () => file.close(),
  };
}
