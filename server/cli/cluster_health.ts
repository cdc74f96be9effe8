/**
 * The status of every server that can be found.
 */

import type { LeaderHint } from "../../lib/errors.ts";
import { RaftError } from "../../lib/errors.ts";
import { systemClock } from "../../lib/host.ts";
import { messageOf } from "../../lib/node/errors.ts";
import type { PeerStatus } from "../../lib/node/types.ts";
import { pause } from "../../lib/pause.ts";
import type { StatusDocument } from "../status.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT } from "../exit_codes.ts";
import { noServerAnswers } from "./errors.ts";
import { leadOf, participationOf, survivedFailures } from "./participation.ts";
import type { ClusterView, FoundNode, Participation } from "./participation.ts";
import type { Session } from "./session.ts";

/** The health of one node. */
export interface NodeHealth extends FoundNode, Participation {}

/** The health of all nodes: the document of `raft status --json`. */
export interface ClusterHealth {
  /** Empty if no node belongs to a cluster yet. */
  readonly clusterId: string;
  /** The highest term that a node reports. */
  readonly term: number;
  readonly leader: LeaderHint | null;
  /** The number of voters, and of those that are up. */
  readonly voters: { readonly total: number; readonly up: number };
  /** The number of further voters whose failure the cluster survives in any case; `null` if it has no quorum now. */
  readonly survives: number | null;
  readonly nodes: readonly NodeHealth[];
}

/** The longest wait for one node: it may hang while others answer. */
const ANSWER_TIMEOUT_MS = 2000;

/** A pause before a second look: an election has just ended, or a node that does not answer here is heard by the leader. */
const SECOND_LOOK_MS = 500;

/** The answer of a server, or the reason why there is none, and when it came. */
type Answer = { readonly status?: StatusDocument; readonly error?: unknown; readonly atMs: number };

/**
 * Asks the endpoints, and then all members that they name.
 *
 * @param twice set to ask again a moment later if a node seems not to take part
 * @throws {RaftError} `unreachable` if no endpoint answers
 */
export async function clusterHealth(session: Session, twice = false): Promise<ClusterHealth> {
  const answers = new Map<string, Answer>();
  const ask = async (endpoint: string): Promise<void> => {
    try {
      const { signal, timeoutMs } = session.call(ANSWER_TIMEOUT_MS);
      const status = await session.remote.status(endpoint, { signal, timeoutMs });
      answers.set(endpoint, { status, atMs: performance.now() });
    } catch (error) {
      answers.set(endpoint, { error, atMs: performance.now() });
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
  const health = healthOf(session, answers, found());
  if (!twice || health.leader === null || health.nodes.every(({ up }) => up)) return health;
  await pause(systemClock, SECOND_LOOK_MS, session.io.signal);
  await Promise.all([...answers].flatMap(([endpoint, { status }]) => status === undefined ? [] : [ask(endpoint)]));
  throwIfInterrupted(session);
  return found().length === 0 ? health : healthOf(session, answers, found());
}

function throwIfInterrupted({ io }: Session): void {
  if (io.signal.aborted) throw new RaftError("aborted", "interrupted");
}

/**
 * Returns the leader of the highest term, else a node that hears it, else the node with the highest term and commit
 * index. Of several clusters it is the one that most nodes are in. A node that was cut off, or removed, may have a
 * higher term than the leader, and says nothing about the cluster.
 */
function bestInformed(statuses: readonly StatusDocument[]): StatusDocument {
  const inCluster = (of: StatusDocument): number =>
    statuses.filter(({ clusterId }) => clusterId === of.clusterId).length;
  const rank = (status: StatusDocument): readonly number[] => [
    Number(status.clusterId !== ""),
    inCluster(status),
    Number(!status.removed),
    Number(hearsLeader(status)),
    status.term,
    Number(status.role === "leader"),
    status.commitIndex,
  ];
  const [best] = statuses.map((status) => ({ status, rank: rank(status) })).sort((a, b) => {
    const at = a.rank.findIndex((value, index) => value !== b.rank[index]);
    return at < 0 ? 0 : b.rank[at]! - a.rank[at]!;
  });
  return best!.status;
}

/** Reports whether a node leads, or has heard its leader lately: a follower forgets a leader only after a while. */
function hearsLeader({ lifecycle, role, leader, leaderContactMs, electionTimeoutMs = 1000 }: StatusDocument): boolean {
  if (lifecycle !== "running" || leader === null) return false;
  return role === "leader" || (leaderContactMs ?? 0) < 2 * electionTimeoutMs;
}

function healthOf(
  session: Session,
  answers: ReadonlyMap<string, Answer>,
  statuses: readonly StatusDocument[],
): ClusterHealth {
  const best = bestInformed(statuses);
  const nodes = new Map<string, FoundNode>();
  const silentMs = new Map<string, number>();
  for (const [endpoint, { status, error, atMs }] of answers) {
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
      if (id !== null) silentMs.set(id, performance.now() - atMs);
    }
  }
  const byId = (a: FoundNode, b: FoundNode): number =>
    (a.id ?? "￿").localeCompare(b.id ?? "￿", "en", { numeric: true });
  const { clusterId, term, members, membership } = best;
  const leader = best.leader === null ? null : { id: best.leader.id, address: best.leader.address };
  const found = [...nodes.values()].sort(byId);
  return judged({ clusterId, term, leader, members, membership, nodes: found, silentMs });
}

/** Judges which nodes take part. */
function judged(view: ClusterView): ClusterHealth {
  const { clusterId, term, leader } = view;
  const nodes = view.nodes.map((node) => ({ ...node, ...participationOf(view, node) }));
  const voters = nodes.filter(isVoter);
  const ups = new Set(voters.flatMap(({ id, up }) => up && id !== null ? [id] : []));
  const survives = survivedFailures(view.membership, (id) => ups.has(id));
  return {
    clusterId,
    term,
    leader,
    voters: { total: voters.length, up: ups.size },
    survives: leader === null || survives < 0 ? null : survives,
    nodes,
  };
}

/** Reports whether a node has a vote. */
function isVoter({ suffrage }: FoundNode): boolean {
  return suffrage === "voter" || suffrage === "outgoing";
}

/**
 * Returns the exit code of `raft status`: an unhealthy node comes before a missing leader or quorum, being its likely
 * cause, and that before a voter that takes no part.
 */
export function exitCodeOfHealth({ nodes, survives }: ClusterHealth): ExitCode {
  const unhealthy = nodes.some(({ status }) =>
    status !== undefined && (!status.storage.healthy || status.lifecycle !== "running")
  );
  if (unhealthy) return EXIT.unhealthy;
  if (survives === null) return EXIT.noLeader;
  return nodes.some((node) => isVoter(node) && !node.up) ? EXIT.unhealthy : EXIT.done;
}

/** Returns a peer as the leader sees it, if the leader answered. */
export function peerOf(health: ClusterHealth, id: string | null): PeerStatus | undefined {
  return leadOf(health)?.peers.find((peer) => peer.id === id);
}
