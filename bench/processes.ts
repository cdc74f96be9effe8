/**
 * Three server processes on this machine, and a client in this one.
 */

import { Coordinator } from "../lib/client/mod.ts";
import { KeyValueClient } from "../lib/kv/client.ts";
import { ownCommand } from "../server/own_command.ts";
import { Nodes } from "../tests/support/server_processes.ts";
import { createConnectClientTransport } from "../transport/connect/mod.ts";
import type { Load, Operation } from "./load.ts";
import { load } from "./load.ts";

export const WRITERS = [1, 32, 256] as const;
const VALUE = new Uint8Array(100).fill(7);

export interface Target {
  readonly write: Operation;
  readonly read: Operation;
}

/** The results of a target, by the number of writers or readers. */
export interface Loads {
  readonly writes: ReadonlyMap<number, Load>;
  readonly reads: ReadonlyMap<number, Load>;
}

/** Measures a target under each load, for at most `seconds` seconds and `limit` operations. */
export async function loadTarget({ write, read }: Target, seconds: number, limit: number): Promise<Loads> {
  const writes = new Map<number, Load>();
  const reads = new Map<number, Load>();
  for (const count of WRITERS) writes.set(count, await load(count, seconds, limit, write));
  for (const count of WRITERS) reads.set(count, await load(count, seconds, limit, read));
  return { writes, reads };
}

/** Measures three nodes of this project, as `deno task start` runs them. */
export async function loadOwn(seconds: number, limit: number): Promise<Loads> {
  let loads: Loads | null = null;
  await Nodes.run([ownCommand(), ownCommand(), ownCommand()], async (nodes) => {
    await using client = new Coordinator({ endpoints: nodes.endpoints, transport: createConnectClientTransport() });
    const kv = new KeyValueClient(client);
    loads = await loadTarget(
      {
        write: (n) => kv.put(`key-${n % 1000}`, VALUE),
        read: (n) => kv.get(`key-${n % 1000}`),
      },
      seconds,
      limit,
    );
  });
  return loads!;
}
