/**
 * `kv watch`: changes without gaps, while servers come and go.
 */

import { RaftError } from "../../lib/errors.ts";
import { resumedWatch } from "../../lib/kv/client.ts";
import type { WatchSource } from "../../lib/kv/client.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { EXIT } from "../exit_codes.ts";
import { jsonEntry } from "../http_bytes.ts";
import type { Session } from "./session.ts";
import { clusterHealth } from "./cluster_health.ts";
import { showBytes } from "./text.ts";

/**
 * Prints changes until Ctrl-C, or until there were `count`.
 *
 * @param from The first version to print; `undefined` for new changes only.
 */
export async function watchChanges(
  session: Session,
  prefix: Uint8Array,
  from: number | undefined,
  count: number = Infinity,
): Promise<number> {
  const call = session.call();
  let left = count;
  try {
    // A linearizable read defines "now", so that no later change is missed, whatever server reports it.
    const list = { ...call, consistency: "linearizable", prefix, limit: 1, keysOnly: true } as const;
    const fromRevision = from ?? (await (await session.remote.keys(call)).list(list)).revision + 1;
    for await (const change of resumedWatch(liveServers(session), prefix, { ...call, fromRevision })) {
      await printChange(session, change);
      if (--left === 0) return EXIT.done;
    }
  } catch (error) {
    if (!session.io.signal.aborted) throw error;
  }
  return EXIT.interrupted;
}

/** Returns the servers that answer and follow a leader as one source: each watch begins at the next one. */
function liveServers(session: Session): WatchSource {
  let turn = 0;
  return {
    async *watch(prefix, fromRevision) {
      const endpoint = await liveEndpoint(session, turn++);
      const stop = new AbortController();
      const signal = AbortSignal.any([session.io.signal, stop.signal]);
      try {
        yield* session.remote.watch(endpoint, prefix, fromRevision, { signal });
      } finally {
        stop.abort();
      }
      throw new RaftError("unreachable", `${new URL(endpoint).host} ended the watch`);
    },
  };
}

/** Returns a server to watch: the next one of those that answer and follow a leader. */
async function liveEndpoint(session: Session, turn: number): Promise<string> {
  const { nodes } = await clusterHealth(session);
  const live = nodes.filter(({ status }) => status?.lifecycle === "running" && status.leader !== null);
  const node = live[turn % live.length];
  if (node === undefined) throw new RaftError("no_leader", "there is no leader now");
  return node.address;
}

async function printChange(session: Session, change: KeyValueChange): Promise<void> {
  const { type, key, value, version } = change;
  await session.printLine({ type, ...jsonEntry(change) }, () => {
    const { paint } = session;
    const what = type === "put" ? paint("green", "put   ") : paint("red", "delete");
    const shown = value === null ? "" : `  ${showBytes(value, 200)}`;
    return `${paint("dim", String(version).padStart(8))}  ${what}  ${showBytes(key)}${shown}\n`;
  });
}
