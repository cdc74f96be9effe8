/**
 * Asks every server that can be found about itself.
 *
 * @module
 */

import type { LeaderHint } from "../../lib/errors.ts";
import { RaftError } from "../../lib/errors.ts";
import type { PeerStatus, Suffrage } from "../../lib/node/types.ts";
import type { StatusDocument } from "../status.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT } from "../exit_codes.ts";
import { noServerAnswers, reasonOf } from "./errors.ts";
import type { Session } from "./session.ts";

/** A server that was asked. */
export interface NodeHealth {
  /** `null` if it didn't answer and no member has its address. */
  readonly id: string | null;
  readonly address: string;
  /** Its part in the cluster, as the best-informed node has it; `null` if it is no member. */
  readonly suffrage: Suffrage | null;
  readonly reachable: boolean;
  /** Why it didn't answer. */
  readonly error?: string;
  /** What it said, as `GET /status`. */
  readonly status?: StatusDocument;
}

/** What all of them said: the document of `raft status --json`. */
export interface ClusterHealth {
  /** Empty if no node is part of a cluster yet. */
  readonly clusterId: string;
  /** The highest that anybody knows. */
  readonly term: number;
  readonly leader: LeaderHint | null;
  readonly nodes: readonly NodeHealth[];
}

/** One node may hang while others answer. */
const ANSWER_TIMEOUT_MS = 2000;

type Answer = { readonly status: StatusDocument } | { readonly error: unknown };

/**
 * Asks the endpoints, and then all members they name.
 *
 * @throws {RaftError} what the first endpoint failed with, if none answered.
 */
export async function clusterHealth(session: Session): Promise<ClusterHealth> {
  const answers = new Map<string, Answer>();
  const ask = async (endpoint: string): Promise<void> => {
    try {
      const { signal, timeoutMs } = session.call(ANSWER_TIMEOUT_MS);
      answers.set(endpoint, { status: await session.remote.status(endpoint, { signal, timeoutMs }) });
    } catch (error) {
      answers.set(endpoint, { error });
    }
  };
  await Promise.all(session.endpoints.map(ask));
  throwIfInterrupted(session);
  const found = (): StatusDocument[] =>
    [...answers.values()].flatMap((answer) => "status" in answer ? answer.status : []);
  if (found().length === 0) {
    throw noServerAnswers(
      session.endpoints,
      [...answers.values()].flatMap((answer) => "error" in answer ? answer.error : []),
    );
  }

  const answered = new Set(found().map(({ id }) => id));
  const members = bestInformed(found()).members;
  await Promise.all(
    members.filter(({ id, address }) => !answered.has(id) && !answers.has(address)).map(({ address }) => ask(address)),
  );
  throwIfInterrupted(session);
  return healthOf(session, answers, found());
}

function throwIfInterrupted({ io }: Session): void {
  if (io.signal.aborted) throw new RaftError("aborted", "interrupted");
}

/** A leader of the highest term, else who knows the highest term and the most. */
function bestInformed(statuses: readonly StatusDocument[]): StatusDocument {
  const rank = (status: StatusDocument): number[] => [
    status.clusterId === "" ? 0 : 1,
    status.term,
    status.role === "leader" ? 1 : 0,
    status.commitIndex,
  ];
  const [best] = [...statuses].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at < 0 ? 0 : (right[at] ?? 0) - (left[at] ?? 0);
  });
  return best as StatusDocument;
}

function healthOf(
  session: Session,
  answers: ReadonlyMap<string, Answer>,
  statuses: readonly StatusDocument[],
): ClusterHealth {
  const best = bestInformed(statuses);
  const nodes = new Map<string, NodeHealth>();
  for (const [endpoint, answer] of answers) {
    const member = best.members.find((other) =>
      "status" in answer ? other.id === answer.status.id : other.address === endpoint
    );
    const suffrage = member?.suffrage ?? null;
    if ("status" in answer) {
      const { status } = answer;
      nodes.set(status.id, { id: status.id, address: member?.address ?? endpoint, suffrage, reachable: true, status });
    } else if (member === undefined ? session.endpointsGiven : !nodes.has(member.id)) {
      // Two endpoints may be one node, under two names.
      const id = member?.id ?? null;
      nodes.set(id ?? endpoint, { id, address: endpoint, suffrage, reachable: false, error: reasonOf(answer.error) });
    }
  }
  const byId = (a: NodeHealth, b: NodeHealth): number =>
    (a.id ?? "￿").localeCompare(b.id ?? "￿", "en", { numeric: true });
  return {
    clusterId: best.clusterId,
    term: best.term,
    leader: best.leader === null ? null : { id: best.leader.id, address: best.leader.address },
    nodes: [...nodes.values()].sort(byId),
  };
}

/** How a node is, in a word or two; empty if well. */
export function troubleOf({ status, error }: NodeHealth): string {
  if (status === undefined) return error ?? "unreachable";
  if (!status.storage.healthy) return status.storage.error ?? "its storage failed";
  if (status.lifecycle !== "running") return status.reason ?? status.lifecycle;
  return status.reason ?? "";
}

/** What `raft status` ends with: an unhealthy node comes before a missing leader, being its likely cause. */
export function exitCodeOfHealth({ nodes, leader }: ClusterHealth): ExitCode {
  const unhealthy = nodes.some(({ status }) =>
    status !== undefined && (!status.storage.healthy || status.lifecycle !== "running")
  );
  if (unhealthy) return EXIT.unhealthy;
  return leader === null ? EXIT.noLeader : EXIT.done;
}

/** A peer as the leader sees it, if the leader answered. */
export function peerOf(health: ClusterHealth, id: string | null): PeerStatus | undefined {
  const leader = health.nodes.find((node) => node.id === health.leader?.id)?.status;
  return leader?.peers.find((peer) => peer.id === id);
}
