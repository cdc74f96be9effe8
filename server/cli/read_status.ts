/**
 * Reads `GET /status`, which has more than the service: the reason why a node doesn't run.
 */

import { RaftError } from "../../lib/errors.ts";
import type { Fetch } from "../../transport/connect/rpc_types.ts";
import { isTabAddress } from "../../transport/wire/address.ts";
import { surelyNotSent } from "../../transport/connect/http_client.ts";
import type { StatusDocument } from "../status.ts";

/**
 * Returns the status of a server.
 *
 * @throws {RaftError} `unreachable`, `timeout`, `aborted`; `unsupported` if something else answers there
 */
export async function readStatus(
  endpoint: string,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  fetch: Fetch = (url, init) => globalThis.fetch(url, init),
): Promise<StatusDocument> {
  if (isTabAddress(endpoint)) throw new RaftError("unreachable", "in a browser tab, which only servers can reach");
  const { host } = new URL(endpoint);
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${endpoint}/status`, { signal: ended, redirect: "error" });
    ({ status } = response);
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw new RaftError("aborted", "interrupted");
    if (ended.aborted) throw new RaftError("timeout", `no answer from ${host} within ${timeoutMs} ms`);
    const message = surelyNotSent(error) ? `no server answers at ${host}` : `the connection to ${host} failed`;
    throw new RaftError("unreachable", message, { cause: error });
  }
  // A node that stopped answers 503, with the reason.
  if (status === 200 || status === 503) {
    const document = parsed(text);
    if (isStatus(document)) return document;
    // A server that is starting has no status yet.
    if (isProblem(document)) {
      throw new RaftError(
        "not_ready",
        document.detail.replace(/\.$/, "").replace(/^./, (first) => first.toLowerCase()),
      );
    }
  }
  throw new RaftError("unsupported", `the program at ${host} is not a raft-core server, or is another version of it`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Reports whether a server of this project answers with an error. */
function isProblem(value: unknown): value is { readonly detail: string } {
  return hasStrings(value, ["type", "detail"]) && (value as { type: string }).type.startsWith("urn:raft-core:error:");
}

/** Checks the fields that are used later, so that a strange answer is an error here and not a crash there. */
function isStatus(value: unknown): value is StatusDocument {
  if (typeof value !== "object" || value === null) return false;
  const { id, clusterId, lifecycle, role, leader, members, peers, storage } = value as Record<string, unknown>;
  const { term, commitIndex, appliedIndex, lastIndex, snapshotIndex, uptimeMs } = value as Record<string, unknown>;
  return [id, clusterId, lifecycle, role].every((field) => typeof field === "string") &&
    [term, commitIndex, appliedIndex, lastIndex, snapshotIndex, uptimeMs].every((field) => typeof field === "number") &&
    (leader === null || hasStrings(leader, ["id", "address"])) &&
    Array.isArray(members) && members.every((member) => hasStrings(member, ["id", "address", "suffrage"])) &&
    Array.isArray(peers) && peers.every((peer) => hasStrings(peer, ["id"])) &&
    typeof storage === "object" && storage !== null && hasDiagnostics(value as Record<string, unknown>);
}

/** Checks the fields that a server of an older version does not have. */
function hasDiagnostics({ reason = "", refused = [], links = [], ...numbers }: Record<string, unknown>): boolean {
  const { electionTimeoutMs = 0, leaderContactMs = 0, pendingWriteMs = 0 } = numbers;
  return typeof reason === "string" && typeof electionTimeoutMs === "number" && typeof pendingWriteMs === "number" &&
    (leaderContactMs === null || typeof leaderContactMs === "number") &&
    Array.isArray(refused) && refused.every((one) => hasStrings(one, ["from", "reason"])) &&
    Array.isArray(links) && links.every((link) => hasStrings(link, ["id", "address"]) && isText(link.error));
}

function isText(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function hasStrings(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "string");
}
