/**
 * `kv watch`: changes without gaps, while servers come and go.
 *
 * @module
 */

import { isRetryable, RaftError } from "../../lib/errors.ts";
import { systemClock } from "../../lib/host.ts";
import { pause } from "../../lib/pause.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { EXIT } from "../exit_codes.ts";
import { jsonBytes } from "../http_bytes.ts";
import { DEFAULT_TIMEOUT_MS } from "./session.ts";
import type { Session } from "./session.ts";
import { clusterHealth } from "./cluster_health.ts";
import { showBytes } from "./text.ts";

const RETRY_MS = 250;
/** A connection that lived for this long was a good one. */
const GOOD_MS = 1000;

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
  const { io } = session;
  // A linearizable read defines "now", so that no later change is missed, whatever server reports it.
  const next = from ?? await versionNow(session, prefix);
  if (next === null) return EXIT.interrupted;
  const progress = { next, left: count };
  let brokenSince = performance.now();
  for (let turn = 0; !io.signal.aborted; turn++) {
    const began = performance.now();
    const before = progress.next;
    let failure: RaftError;
    try {
      const endpoint = await liveEndpoint(session, turn);
      await follow(session, endpoint, prefix, progress);
      if (progress.left === 0) return EXIT.done;
      failure = new RaftError("unreachable", `${new URL(endpoint).host} ended the watch`);
    } catch (error) {
      if (io.signal.aborted) break;
      // Another server, or the same one later, may do better.
      if (!isRetryable(error, true)) throw error;
      failure = error as RaftError;
    }
    if (progress.next > before || performance.now() - began > GOOD_MS) brokenSince = performance.now();
    if (performance.now() - brokenSince > (session.timeoutMs ?? DEFAULT_TIMEOUT_MS)) {
      throw failure.withOutcome("rejected");
    }
    await pause(systemClock, RETRY_MS, io.signal);
  }
  return EXIT.interrupted;
}

/** Returns the version after the newest; `null` after Ctrl-C. */
async function versionNow(session: Session, prefix: Uint8Array): Promise<number | null> {
  const options = { ...session.call(), consistency: "linearizable" as const };
  try {
    return (await session.remote.list({ ...options, prefix, limit: 1, keysOnly: true })).revision + 1;
  } catch (error) {
    if (session.io.signal.aborted) return null;
    throw error;
  }
}

/** Returns a server to watch: the next one of those that answer and follow a leader. */
async function liveEndpoint(session: Session, turn: number): Promise<string> {
  const { nodes } = await clusterHealth(session);
  const live = nodes.filter(({ status }) => status?.lifecycle === "running" && status.leader !== null);
  const node = live[turn % live.length];
  if (node === undefined) throw new RaftError("no_leader", "there is no leader now");
  return node.address;
}

async function follow(
  session: Session,
  endpoint: string,
  prefix: Uint8Array,
  progress: { next: number; left: number },
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([session.io.signal, stop.signal]);
  try {
    for await (const change of session.remote.watch(endpoint, prefix, progress.next, { signal })) {
      progress.next = change.version + 1;
      await printChange(session, change);
      if (--progress.left === 0) return;
    }
  } finally {
    stop.abort();
  }
}

async function printChange(session: Session, { type, key, value, version }: KeyValueChange): Promise<void> {
  const document = {
    type,
    ...jsonBytes("key", key),
    ...(value === null ? {} : jsonBytes("value", value)),
    version,
  };
  await session.printLine(document, () => {
    const { paint } = session;
    const what = type === "put" ? paint("green", "put   ") : paint("red", "delete");
    const shown = value === null ? "" : `  ${showBytes(value, 200)}`;
    return `${paint("dim", String(version).padStart(8))}  ${what}  ${showBytes(key)}${shown}\n`;
  });
}
