/**
 * Finds servers that answer, so that one that hangs costs no time.
 *
 * @module
 */

import { RaftError } from "../../lib/errors.ts";
import type { StatusDocument } from "../status.ts";
import { noServerAnswers } from "./errors.ts";
import type { RemoteCallOptions } from "./remote.ts";

/** After the first answer others, the leader perhaps, have so long to say better. */
const GRACE_MS = 100;

/**
 * The endpoints that answer: who leads, then who knows a leader, then the others.
 * Waits for no more than is needed to find the leader. Servers that all take their time have all the time there is:
 * a busy one is not taken for dead.
 *
 * @throws {RaftError} `unreachable` if none answers; `aborted` by Ctrl-C
 */
export async function answering(
  endpoints: readonly string[],
  { signal, timeoutMs }: RemoteCallOptions,
  ask: (endpoint: string, options: RemoteCallOptions) => Promise<StatusDocument>,
): Promise<readonly string[]> {
  const enough = new AbortController();
  const options = { signal: AbortSignal.any([signal, enough.signal]), timeoutMs };
  const found: { readonly endpoint: string; readonly rank: number }[] = [];
  const failures: unknown[] = [];
  let grace: ReturnType<typeof setTimeout> | undefined;
  await Promise.all(endpoints.map(async (endpoint) => {
    try {
      const rank = rankOf(await ask(endpoint, options));
      found.push({ endpoint, rank });
      if (rank === 0) enough.abort();
      else grace ??= setTimeout(() => enough.abort(), GRACE_MS);
    } catch (error) {
      failures.push(error);
    }
  }));
  clearTimeout(grace);
  if (signal.aborted) throw new RaftError("aborted", "interrupted");
  if (found.length === 0) throw noServerAnswers(endpoints, failures);
  return found.sort((a, b) => a.rank - b.rank).map(({ endpoint }) => endpoint);
}

function rankOf({ role, lifecycle, leader }: StatusDocument): number {
  if (lifecycle !== "running") return 3;
  return role === "leader" ? 0 : leader !== null ? 1 : 2;
}
