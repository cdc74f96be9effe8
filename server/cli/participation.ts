/**
 * The part that each node takes in its cluster, or the reasons why it takes none: from the
 * node's own status, and from what the leader and the other nodes know of it.
 */

import type { LeaderHint } from "../../lib/errors.ts";
import type { PeerStatus, Suffrage } from "../../lib/node/types.ts";
import type { Member, Membership } from "../../lib/raft/types.ts";
import { isTabAddress } from "../../transport/wire/address.ts";
import type { StatusDocument } from "../status.ts";

/** A node as it was found: its answer, or the reason why there is none. */
export interface FoundNode {
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

/** The cluster as the best-informed node has it. */
export interface ClusterView {
  readonly clusterId: string;
  readonly term: number;
  readonly leader: LeaderHint | null;
  readonly members: readonly Member[];
  readonly membership: Membership;
  /** All nodes that were looked for. */
  readonly nodes: readonly FoundNode[];
  /** Milliseconds since each node that did not answer was asked. */
  readonly silentMs: ReadonlyMap<string, number>;
}

/** A node's part in its cluster. */
export interface Participation {
  /** Set if it leads, or follows the leader and is heard by it. */
  readonly up: boolean;
  /** The problems of the node, each in a few words; those of a node that is not up say why. */
  readonly problems: readonly string[];
}

/** The patience with a peer, if its leader does not tell its own. */
const DEFAULT_PATIENCE_MS = 1000;
/** A refusal that is older than this is no present cause. */
const RECENT_REFUSAL_MS = 30_000;
/** The most broken links that are listed of a node without a leader. */
const MAX_LINKS = 3;

/** Returns a node's part in the cluster. */
export function participationOf(view: ClusterView, node: FoundNode): Participation {
  const { status } = node;
  if (status === undefined) return partOfSilent(view, node);
  const broken = troubleOf(status);
  const outside = outsideOf(view, node, status);
  if (outside !== null || status.lifecycle !== "running") {
    return { up: false, problems: unique([...broken, ...(outside === null ? [] : [outside]), ...reasonOf(status)]) };
  }
  const absence = absenceOf(view, status);
  if (absence === null) return { up: true, problems: unique([...broken, ...reasonOf(status)]) };
  return { up: false, problems: unique([absence, ...broken, ...reasonOf(status), ...causes(view, status)]) };
}

/** Returns the number of failures that the cluster survives; negative if it has no quorum. */
export function survivedFailures({ voters, outgoing }: Membership, isUp: (id: string) => boolean): number {
  const spare = (half: readonly string[]) => half.filter(isUp).length - (Math.floor(half.length / 2) + 1);
  // Each half of a joint configuration needs a quorum of its own.
  return Math.min(...[voters, outgoing].filter((half) => half.length > 0).map(spare));
}

/** Returns the leader's answer, if there is one. */
export function leadOf({ nodes, leader }: Pick<ClusterView, "nodes" | "leader">): StatusDocument | undefined {
  const status = nodes.find(({ id }) => id === leader?.id)?.status;
  return status?.role === "leader" ? status : undefined;
}

/** Returns a node that did not answer: the leader may hear it all the same. */
function partOfSilent(view: ClusterView, { id, address, error = "unreachable" }: FoundNode): Participation {
  const contactMs = id === null ? null : contactOf(view, id);
  // An answer to the leader from before it was asked says nothing: it may have ended since.
  const patienceMs = isTabAddress(address) ? patienceOf(view) : view.silentMs.get(id ?? "") ?? 0;
  if (contactMs !== null && contactMs < patienceMs) {
    return { up: true, problems: [isTabAddress(address) ? error : `${error}, but its peers hear it`] };
  }
  const links = id === null ? [] : linkCauses(view, id).filter((cause) => !cause.endsWith(error));
  return { up: false, problems: [error, ...links] };
}

/** Returns the milliseconds since the leader heard a node, or since a follower heard the leader. */
function contactOf(view: ClusterView, id: string): number | null {
  if (id !== view.leader?.id) return peerOf(view, id)?.lastContactMs ?? null;
  const contacts = view.nodes.flatMap(({ status }) =>
    status?.leader?.id === id && status.term === view.term ? status.leaderContactMs ?? [] : []
  );
  return contacts.length === 0 ? null : Math.min(...contacts);
}

/** Returns a peer as the leader has it. */
function peerOf(view: ClusterView, id: string): PeerStatus | undefined {
  return leadOf(view)?.peers.find((peer) => peer.id === id);
}

function patienceOf(view: ClusterView): number {
  return leadOf(view)?.electionTimeoutMs ?? DEFAULT_PATIENCE_MS;
}

/** Returns the faults that a node reports of itself. */
function troubleOf({ lifecycle, storage, reason }: StatusDocument): readonly string[] {
  if (!storage.healthy) return [storage.error ?? "storage failed"];
  return lifecycle === "running" ? [] : [reason ?? lifecycle];
}

function reasonOf({ reason }: StatusDocument): readonly string[] {
  return reason === undefined ? [] : [reason];
}

/** Returns the reason why a node that answers is no member of the cluster; `null` if it is one. */
function outsideOf(view: ClusterView, { suffrage }: FoundNode, status: StatusDocument): string | null {
  if (status.clusterId !== "" && status.clusterId !== view.clusterId) return `it is in cluster ${status.clusterId}`;
  if (status.removed) return status.reason ?? "this node was removed from its cluster";
  if (suffrage === null) return status.reason ?? (status.clusterId === "" ? "waits to be added" : "not a member");
  const recorded = view.members.find(({ id }) => id === status.id)?.incarnation ?? "";
  if (recorded === "" || recorded === status.incarnation) return null;
  return "its data folder is not the member's; remove the member, then add the node again with an empty folder";
}

/** Returns what a running member lacks to take part; `null` if nothing. */
function absenceOf(view: ClusterView, status: StatusDocument): string | null {
  const { id, role, leader, term, pendingWriteMs = 0 } = status;
  // Its answers to heartbeats do not wait for its disk.
  if (pendingWriteMs >= patienceOf(view)) return `its disk hangs: a write has taken ${seconds(pendingWriteMs)}`;
  if (role === "leader") {
    if (view.leader === null || view.leader.id === id) return null;
    return `it leads the outdated term ${term}, ${view.leader.id} leads term ${view.term}`;
  }
  if (leader === null) return view.leader === null ? "no leader" : "it has no leader";
  if (view.leader === null) return null;
  if (leader.id !== view.leader.id) return `it follows ${leader.id}, not ${view.leader.id}`;
  if (leadOf(view) === undefined) return null;
  const contactMs = contactOf(view, id);
  if (contactMs === null) return "the leader has not heard it in this term";
  if (contactMs >= patienceOf(view)) return `the leader has not heard it for ${seconds(contactMs)}`;
  return null;
}

/** Returns the likely causes of a member's absence. */
function causes(view: ClusterView, status: StatusDocument): readonly string[] {
  const { id, durableIndex, lastIndex } = status;
  const stuck = durableIndex < lastIndex
    ? [`its disk has not written entries ${durableIndex + 1} to ${lastIndex}`]
    : [];
  // Without a leader its own reason names the members that do not answer.
  const links = view.leader === null && status.reason !== undefined ? [] : linkCauses(view, id);
  return [...refusalCauses(view, status), ...stuck, ...links];
}

/** Returns the refusals of messages between a node and the others, in both directions. The leader's come first. */
function refusalCauses({ nodes, leader }: ClusterView, status: StatusDocument): readonly string[] {
  const others = nodes.flatMap((node) => node.status !== undefined && node.id !== status.id ? [node.status] : []);
  others.sort((a, b) => Number(b.id === leader?.id) - Number(a.id === leader?.id));
  const recent = (of: StatusDocument, from: string) =>
    (of.refused ?? []).filter((refusal) => refusal.from === from && refusal.lastMs < RECENT_REFUSAL_MS);
  const first = ([of, from]: readonly [StatusDocument, string]): string[] =>
    recent(of, from).slice(0, 1).map(({ reason }) =>
      of.id === status.id ? `it refuses messages of ${from}: ${reason}` : `${of.id} refuses its messages: ${reason}`
    );
  const incoming = others.flatMap((other) => first([other, status.id])).slice(0, 1);
  const outgoing = others.flatMap((other) => first([status, other.id])).slice(0, 1);
  return [...incoming, ...outgoing];
}

/** Returns the failures of the connections between the leader and a node. */
function linkCauses(view: ClusterView, id: string): readonly string[] {
  const lead = leadOf(view);
  const status = view.nodes.find((node) => node.id === id)?.status;
  const failure = (of: StatusDocument | undefined, to: string): string[] =>
    (of?.links ?? []).flatMap(({ id, address, error }) =>
      id === to && error !== null ? [`${error} at ${address.replace(/^http:\/\//, "")}`] : []
    );
  if (lead?.id === id) return [];
  if (lead === undefined) {
    const voters = [...view.membership.voters, ...view.membership.outgoing];
    const failures = unique(voters).flatMap((to) => failure(status, to).map((error) => `no link to ${to}: ${error}`));
    return failures.slice(0, MAX_LINKS);
  }
  return [
    ...failure(lead, id).map((error) => `no link from the leader: ${error}`),
    ...failure(status, lead.id).map((error) => `no link to the leader: ${error}`),
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
