/**
 * The status of every server that can be found.
 */

import type { LeaderHint } from "../../lib/errors.ts";
import { RaftError } from "../../lib/errors.ts";
import { messageOf } from "../../lib/node/errors.ts";
import type { PeerStatus, Suffrage } from "../../lib/node/types.ts";
import type { StatusDocument } from "../status.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT } from "../exit_codes.ts";
import { noServerAnswers } from "./errors.ts";
import type { Session } from "./session.ts";

/** The health of one node. */
export interface NodeHealth {
  /** The node's name; `null` if it didn't answer and no member has its address. */
  readonly id: string | null;
  readonly address: string;
  /** Its role in the membership, as the best-informed node has it; `null` if it is not a member. */
  readonly suffrage: Suffrage | null;
  readonly reachable: boolean;
  /** The reason why it didn't answer. */
  readonly error?: string;
  /** Its answer to `GET /status`. */
  readonly status?: StatusDocument;
}

/** The health of all nodes: the document of `raft status --json`. */
export interface ClusterHealth {
  /** Empty if no node belongs to a cluster yet. */
  readonly clusterId: string;
  /** The highest term that a node reports. */
  readonly term: number;
  readonly leader: LeaderHint | null;
  readonly nodes: readonly NodeHealth[];
}

/** The longest wait for one node: it may hang while others answer. */
const ANSWER_TIMEOUT_MS = 2000;

/** The answer of a server, or the reason why there is none. */
type Answer = { readonly status?: StatusDocument; readonly error?: unknown };

/**
 * Asks the endpoints, and then all members that they name.
 *
 * @throws {RaftError} `unreachable` if no endpoint answers
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
  const found = (): StatusDocument[] => [...answers.values()].flatMap(({ status }) => status ?? []);
  if (found().length === 0) {
    throw noServerAnswers(session.endpoints, [...answers.values()].map(({ error }) => error));
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

/** Returns the leader of the highest term, else the node with the highest term and commit index. */
function bestInformed(statuses: readonly StatusDocument[]): StatusDocument {
  const [best] = statuses.toSorted((a, b) =>
    Number(b.clusterId !== "") - Number(a.clusterId !== "") || b.term - a.term ||
    Number(b.role === "leader") - Number(a.role === "leader") || b.commitIndex - a.commitIndex
  );
  return best as StatusDocument;
}

function healthOf(
  session: Session,
  answers: ReadonlyMap<string, Answer>,
  statuses: readonly StatusDocument[],
): ClusterHealth {
  const best = bestInformed(statuses);
  const nodes = new Map<string, NodeHealth>();
  for (const [endpoint, { status, error }] of answers) {
    const member = best.members.find(({ id, address }) =>
      status === undefined ? address === endpoint : id === status.id
    );
    const suffrage = member?.suffrage ?? null;
    if (status !== undefined) {
      nodes.set(status.id, { id: status.id, address: member?.address ?? endpoint, suffrage, reachable: true, status });
    } else if (member === undefined ? session.endpointsGiven : !nodes.has(member.id)) {
      // Two endpoints may be one node.
      const id = member?.id ?? null;
      nodes.set(id ?? endpoint, { id, address: endpoint, suffrage, reachable: false, error: messageOf(error) });
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

/** Returns the problem of a node in a few words; empty if it is healthy. */
export function troubleOf({ status, error }: NodeHealth): string {
  if (status === undefined) return error ?? "unreachable";
  if (!status.storage.healthy) return status.storage.error ?? "storage failed";
  if (status.lifecycle !== "running") return status.reason ?? status.lifecycle;
  return status.reason ?? "";
}

/** Returns the exit code of `raft status`: an unhealthy node comes before a missing leader, being its likely cause. */
export function exitCodeOfHealth({ nodes, leader }: ClusterHealth): ExitCode {
  const unhealthy = nodes.some(({ status }) =>
    status !== undefined && (!status.storage.healthy || status.lifecycle !== "running")
  );
  if (unhealthy) return EXIT.unhealthy;
  return leader === null ? EXIT.noLeader : EXIT.done;
}

/** Returns a peer as the leader sees it, if the leader answered. */
export function peerOf(health: ClusterHealth, id: string | null): PeerStatus | undefined {
  const leader = health.nodes.find((node) => node.id === health.leader?.id)?.status;
  return leader?.peers.find((peer) => peer.id === id);
}
