/**
 * Describes the state of the cluster, and the reason why an entry waits, in a
 * sentence each. Pure, like explain.ts.
 */

import { sentence } from "../../lib/sentence.ts";
import type { Membership, NodeId } from "../../mod.ts";
import type { NodeView } from "../source.ts";
import { dissertation, paper } from "./explain.ts";
import type { Section } from "./explain.ts";
import type { ClusterModel } from "./model.ts";
import { count, duration, listOf } from "./words.ts";

/** Returns the newest known membership: the leader's, otherwise that of the latest entry. */
function newestMembership(cluster: ClusterModel): Membership | undefined {
  const [newest] = [...cluster.nodes.values()].sort((a, b) => b.membershipIndex - a.membershipIndex);
  return (cluster.leader() ?? newest)?.membership;
}

function majority(size: number): number {
  return Math.floor(size / 2) + 1;
}

/** The texts of the headline. */
export interface HeadlineWords {
  readonly text: string;
  /** The meaning; may be empty. */
  readonly detail: string;
  readonly tone: "good" | "bad" | "plain";
}

/** Describes the state of the cluster in one line. */
export function headlineOf(cluster: ClusterModel): HeadlineWords {
  const { nodes } = cluster;
  const membership = newestMembership(cluster);
  if (membership === undefined || membership.voters.length === 0) {
    const waits = [...nodes.values()].find(({ life, lifeReason }) => life === "starting" && lifeReason !== "");
    const detail = waits === undefined
      ? "The first nodes are looking for each other."
      : `${waits.id} has not joined yet. ${sentence(waits.lifeReason)}`;
    return { text: "The cluster is starting", detail, tone: "plain" };
  }
  const { voters } = membership;
  const leader = cluster.leader();
  if (leader !== null) return headlineWithLeader(cluster, leader);
  const down = voters.filter((id) => nodes.get(id)?.life !== "running");
  const [up, needed] = [voters.length - down.length, majority(voters.length)];
  if (up < needed) {
    return {
      text: `No node can lead: ${up} of ${count(voters.length, "voter")} left`,
      detail: `${needed} are needed. Start ${listOf(down.slice(0, needed - up))} again to continue.`,
      tone: "bad",
    };
  }
  const reachedBy = (id: NodeId): number =>
    voters.filter((other) => !down.includes(other) && isOpen(cluster, id, other)).length;
  if (!voters.some((id) => !down.includes(id) && reachedBy(id) >= needed)) {
    return {
      text: "No node can lead: too many links are cut",
      detail:
        `No node reaches the ${needed} of ${voters.length} voters that it takes to elect a leader. Heal links to continue.`,
      tone: "bad",
    };
  }
  const asking = [...nodes.values()].filter(({ life, role }) => life === "running" && role !== "follower");
  if (asking.length > 0) {
    const who = listOf(asking.map(({ id }) => id));
    return {
      text: `${who} ${asking.length === 1 ? "asks" : "ask"} for votes`,
      detail: `It takes ${needed} of ${voters.length} votes to become leader.`,
      tone: "plain",
    };
  }
  return {
    text: "There is no leader at the moment",
    detail: "The first node whose election timer expires asks the others for their votes.",
    tone: "plain",
  };
}

/** Reports whether two nodes reach each other. */
function isOpen(cluster: ClusterModel, a: NodeId, b: NodeId): boolean {
  return a === b || (!cluster.linkOf(a, b).cut && !cluster.linkOf(b, a).cut);
}

function headlineWithLeader(cluster: ClusterModel, leader: NodeView): HeadlineWords {
  const { nodes } = cluster;
  const { voters, learners } = leader.membership;
  const needed = majority(voters.length);
  const text = `${leader.id} leads ${count(voters.length + learners.length, "node")} in term ${leader.term}`;
  const obstacle = (id: NodeId): Reason | null => id === leader.id ? null : whyUnreachable(cluster, leader, id);
  const reached = voters.filter((id) => obstacle(id) === null);
  if (reached.length < needed) {
    const detail = `But it reaches ${reached.length} of ${voters.length} voters, and ${needed} are needed: ` +
      "it can't commit anything, and will soon give up.";
    return { text, detail, tone: "bad" };
  }
  const others = [...nodes.values()].filter(({ id, role, life }) =>
    id !== leader.id && role === "leader" && life === "running"
  ).map(({ id, term }) => `${id} still considers itself leader in term ${term}, but the others ignore it.`);
  const there = voters.length === 1
    ? "It is the only voter."
    : reached.length === voters.length
    ? `All ${voters.length} voters are available; ${needed} are enough to commit.`
    : `${reasons(voters, obstacle).join(", ")}; ${reached.length} of ${voters.length} voters are left, and ` +
      `${needed} are enough.`;
  return {
    text,
    detail: [there, ...others].join(" "),
    tone: reached.length === voters.length && others.length === 0 ? "good" : "plain",
  };
}

/** The reason why an entry is not committed. */
export interface Waiting {
  readonly index: number;
  readonly text: string;
  readonly section: Section;
}

/** Explains why the leader's entry at `index` (or its first uncommitted one) waits; `null` if it doesn't. */
export function explainWaiting(
  cluster: ClusterModel,
  leader: NodeView,
  index = leader.commitIndex + 1,
): Waiting | null {
  if (index <= leader.commitIndex || index > leader.lastIndex) return null;
  const { voters, outgoing } = leader.membership;
  const has = (id: NodeId): boolean => matchOf(leader, id) >= index;
  for (const half of outgoing.length > 0 ? [voters, outgoing] : [voters]) {
    const holders = half.filter(has);
    const needed = majority(half.length);
    if (holders.length >= needed) continue;
    const on = holders.length === 0
      ? "on no voter's disk yet"
      : `on ${listOf(holders)}${holders.length === 1 ? " only" : ""}`;
    const why = reasons(half.filter((id) => !has(id)), (id) => whyBehind(cluster, leader, id));
    const joint = outgoing.length > 0 ? ` of the ${half === voters ? "new" : "old"} membership` : "";
    return {
      index,
      text: `Entry ${index} is ${on}: ${holders.length} of ${half.length}${joint}, and ${needed} are needed` +
        `${why.length > 0 ? `; ${why.join(", ")}` : ""}.`,
      section: outgoing.length > 0 ? dissertation("§4.3") : paper("§5.3"),
    };
  }
  const term = leader.entries.find((entry) => entry.index === index)?.term;
  if (term !== undefined && term < leader.term) {
    return {
      index,
      text:
        `Entry ${index} is on a majority, but it is of term ${term}, not of ${leader.id}'s own term ${leader.term}: ` +
        "it will be committed together with a later one (figure 8).",
      section: paper("§5.4.2"),
    };
  }
  return {
    index,
    text: `Entry ${index} is on a majority: ${leader.id} is about to commit it.`,
    section: paper("§5.3"),
  };
}

function matchOf(leader: NodeView, id: NodeId): number {
  if (id === leader.id) return leader.durableIndex;
  return leader.progress.find((peer) => peer.id === id)?.matchIndex ?? 0;
}

/** A reason as a function of the names of nodes: several may share it. */
type Reason = (who: string, are: "is" | "are") => string;

/** Returns the reasons of all these nodes, each once. */
function reasons(ids: readonly NodeId[], why: (id: NodeId) => Reason | null): string[] {
  const found = ids.flatMap((id) => {
    const reason = why(id);
    return reason === null ? [] : [{ id, reason }];
  });
  const groups = Map.groupBy(found, ({ reason }) => reason("", "is"));
  return [...groups.values()].map((group) =>
    group[0]!.reason(listOf(group.map(({ id }) => id)), group.length === 1 ? "is" : "are")
  );
}

/** Returns the reason why a leader and another node don't reach each other; `null` if they do. */
function whyUnreachable(cluster: ClusterModel, leader: NodeView, id: NodeId): Reason | null {
  const view = cluster.nodes.get(id);
  if (view === undefined) return (who) => `nothing is known of ${who}`;
  if (view.life !== "running") {
    return (who, are) => `${who} ${are} ${view.life === "starting" ? "still starting" : view.life}`;
  }
  const [there, back] = [cluster.linkOf(leader.id, id).cut, cluster.linkOf(id, leader.id).cut];
  if (there && back) return (who, are) => `${who} ${are} cut off from ${leader.id}`;
  if (there) return (who) => `the link from ${leader.id} to ${who} is cut`;
  return back ? (who) => `the link from ${who} to ${leader.id} is cut` : null;
}

function whyBehind(cluster: ClusterModel, leader: NodeView, id: NodeId): Reason | null {
  if (id === leader.id) return (who) => `${who} has not stored it on its own disk yet`;
  const unreachable = whyUnreachable(cluster, leader, id);
  if (unreachable !== null) return unreachable;
  const state = leader.progress.find((peer) => peer.id === id)?.state;
  if (state === "snapshot") return (who, are) => `${who} ${are === "is" ? "needs" : "need"} a snapshot first`;
  const [there, back] = [cluster.linkOf(leader.id, id), cluster.linkOf(id, leader.id)];
  const delay = there.delayMs + back.delayMs;
  if (delay > 0) return (who) => `the round trip to ${who} takes ${duration(delay)}`;
  if (there.loss + back.loss > 0) return (who) => `messages to and from ${who} are lost`;
  return state === "probe" ? (who) => `${leader.id} is still comparing its log with ${who}'s` : null;
}
