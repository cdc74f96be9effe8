/**
 * Explains events in a sentence each, with the section of the paper. Pure: an event
 * and the state of the cluster go in, words come out.
 */

import { sentence } from "../../lib/sentence.ts";
import type { Membership, NodeId, VoteDenial } from "../../mod.ts";
import type { ClusterEvent, NodeLife, NodeView } from "../source.ts";
import type { ClusterModel } from "./model.ts";
import { byName, duration, entries, listOf } from "./words.ts";

/** The feed names the commands of at most this many entries. */
const MAX_LABELS = 3;

/** A section to read. */
export interface Section {
  /** As it is cited: "§5.2", "dissertation §9.6". */
  readonly label: string;
  readonly url: string;
}

/** The tone of a line: `bad` is a failure, `good` progress. */
export type Tone = "plain" | "good" | "bad";

/** A line of the feed. */
export interface Explanation {
  readonly text: string;
  readonly section: Section;
  readonly tone: Tone;
  /** Announced by screen readers, too. */
  readonly important: boolean;
  /** Lines of one key become one, with the parts of all: "n2 and n3 voted for n1". */
  readonly group?: {
    readonly key: string;
    readonly parts: readonly string[];
    say(parts: readonly string[]): string;
    /** Parts may be added however old the line is. */
    readonly lasting?: boolean;
  };
}

/** Returns a section of Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm (extended version)". */
export function paper(section: string): Section {
  return { label: section, url: "https://raft.github.io/raft.pdf" };
}

/** Returns a section of Ongaro's dissertation, for subjects that the paper lacks. */
export function dissertation(section: string): Section {
  return {
    label: `dissertation ${section}`,
    url: "https://github.com/ongardie/dissertation/blob/master/stanford.pdf",
  };
}

function line(text: string, section: Section, tone: Tone = "plain", important = false): Explanation {
  return { text, section, tone, important };
}

/** Returns a line that others of its group are added to. */
function grouped(
  key: string,
  part: string,
  say: (parts: readonly string[]) => string,
  section: Section,
  tone: Tone = "plain",
): Explanation {
  return { text: say([part]), section, tone, important: false, group: { key, parts: [part], say } };
}

/** Returns such a line about nodes, sorted by name. */
function ofNodes(key: string, node: NodeId, say: (names: readonly string[]) => string, section: Section): Explanation {
  return grouped(key, node, (names) => say([...names].sort(byName)), section);
}

/** An event of each type. */
type Events = { readonly [Event in ClusterEvent["what"] as Event["type"]]: Event };
type Explain<Event> = (node: NodeId, event: Event, cluster: ClusterModel, atMs: number) => Explanation | null;

/** Explains an event; `null` if another line does so already. */
export function explain({ node, atMs, what }: ClusterEvent, cluster: ClusterModel): Explanation | null {
  return (EXPLAIN[what.type] as Explain<typeof what>)(node, what, cluster, atMs);
}

const EXPLAIN: { readonly [Type in keyof Events]: Explain<Events[Type]> } = {
  life: explainLife,
  committed: explainCommitted,
  electionStarted: explainElection,
  voteGranted: explainVote,
  voteDenied: explainDenial,
  roleChanged: explainRole,
  membershipChanged: explainMembership,
  leaderChanged: (node, { leader, term }) =>
    leader === null || leader === node ? null : ofNodes(
      `follows ${leader} ${term}`,
      node,
      (names) => `${listOf(names)} ${names.length === 1 ? "follows" : "follow"} ${leader} in term ${term}.`,
      paper("§5.2"),
    ),
  membershipCommitted(node, { index, membership }, { nodes }) {
    if (!isNews(nodes.get(node), index)) return null;
    return line(`The membership of entry ${index} is committed: ${members(membership)}.`, paper("§6"), "good", true);
  },
  snapshot: (node, { index, reason }) =>
    reason === "taken"
      ? line(
        `${node} took a snapshot of its state up to entry ${index}, so the log before that can be deleted.`,
        paper("§7"),
      )
      : line(
        `${node} replaced its state with the leader's snapshot, which covers everything up to entry ${index}.`,
        paper("§7"),
        "good",
      ),
  snapshotNeeded: (node, { peer }) =>
    line(`${node} no longer has the entries that ${peer} needs, so it sends its snapshot instead.`, paper("§7")),
  logTruncated: (node, { from }) =>
    line(
      `${node} deleted its log from entry ${from} on: it conflicts with the leader's log, and was never committed.`,
      paper("§5.3"),
      "bad",
    ),
  storageError: (node, { message, consequence }) =>
    line(
      `${node} could not write to its disk (${message}). ${sentence(consequence)}`.trim(),
      paper("§5, figure 2"),
      "bad",
      true,
    ),
  refused: (node, { from, reason }) => line(`${node} rejected a message from ${from}: ${reason}.`, paper("§6"), "bad"),
  transferStarted: (node, { to }) =>
    line(
      `${node} hands leadership over to ${to}: it accepts no new commands, and asks ${to} to campaign as soon as its log is complete.`,
      dissertation("§3.10"),
    ),
  transferEnded: (node, { to, reason }) =>
    reason === "timeout"
      ? line(`${node} remains the leader: ${to} did not take over in time.`, dissertation("§3.10"), "bad")
      : null,
};

function explainLife(node: NodeId, { life, reason }: Events["life"]): Explanation {
  if (life === "starting" && reason !== "") return explainEntrance(node, reason);
  const because = reason === "" ? "" : ` (${reason})`;
  const texts: Readonly<Record<NodeLife, string>> = {
    starting: "starts with the term, vote and log on its disk",
    running: `runs${because}`,
    paused: "is paused. To the others it looks dead",
    stopped: `stopped itself${because}`,
    killed: `was killed. ${reason === "" ? "Its disk is kept" : sentence(reason)}`,
    away: `is away${because}. The others continue as long as a majority of the voters is available`,
  };
  const tone = life === "starting" ? "plain" : life === "running" ? "good" : "bad";
  return line(sentence(`${node} ${texts[life]}`), paper("§5.5"), tone, life !== "starting");
}

/** Explains what a node that starts waits for: one line with the latest reason. */
function explainEntrance(node: NodeId, reason: string): Explanation {
  const say = (reasons: readonly string[]): string => `${node} has not joined yet. ${sentence(reasons.at(-1) ?? "")}`;
  const said = grouped(`entrance ${node}`, reason, say, paper("§6"));
  return { ...said, group: { ...said.group!, lasting: true } };
}

/** Explains links that were cut or restored: one line for all that changed at once. */
export function explainLinks(isCut: boolean, links: readonly string[]): Explanation {
  const say = (all: readonly string[]): string =>
    isCut ? `Cut: ${all.join(", ")}. Messages sent there are lost.` : `No longer cut: ${all.join(", ")}.`;
  const group = { key: isCut ? "cut" : "open", parts: links, say };
  return { text: say(links), section: paper("§2"), tone: isCut ? "bad" : "good", important: false, group };
}

/** Explains the leader's commits: the others learn of them from its next message. */
function explainCommitted(
  node: NodeId,
  { index: last, from: first = last }: Events["committed"],
  { nodes }: ClusterModel,
): Explanation | null {
  const view = nodes.get(node);
  if (view === undefined || view.role !== "leader") return null;
  const say = (parts: readonly string[]): string => {
    const indexes = parts.map(Number);
    const [from, to] = [Math.min(...indexes), Math.max(...indexes)];
    // Memberships have lines of their own.
    const commands = (nodes.get(node)?.entries ?? []).filter(({ index, type, label }) =>
      index >= from && index <= to && type === "command" && label !== ""
    );
    const labels = commands.length > MAX_LABELS ? "" : commands.map(({ label }) => label).join(", ");
    const which = labels === "" ? entries(from, to) : `${entries(from, to)} (${labels})`;
    const are = from === to ? "is" : "are";
    return sentence(`${which} ${are} committed: on the disks of a majority, and therefore never lost`);
  };
  const parts = [String(first), String(last)];
  const group = { key: `committed ${node} ${view.term}`, parts, say };
  return { text: say(parts), section: paper("§5.3"), tone: "good", important: false, group };
}

function explainVote(node: NodeId, { to, term, preVote }: Events["voteGranted"]): Explanation {
  return preVote
    ? ofNodes(
      `would vote ${to} ${term}`,
      node,
      (voters) => `${listOf(voters)} would vote for ${to} in term ${term}. No term changes yet.`,
      dissertation("§9.6"),
    )
    : ofNodes(
      `voted ${to} ${term}`,
      node,
      (voters) => `${listOf(voters)} voted for ${to} in term ${term}: its log is at least as up to date as theirs.`,
      paper("§5.4.1"),
    );
}

/** Reports whether a committed membership is new: a new leader commits those of earlier leaders once more. */
function isNews(leader: NodeView | undefined, index: number): boolean {
  if (leader?.role !== "leader") return false;
  const entry = leader.entries.find((one) => one.index === index);
  return index === leader.membershipIndex || entry === undefined || entry.term === leader.term;
}

function explainElection(
  node: NodeId,
  { term, preVote, reason }: Events["electionStarted"],
  cluster: ClusterModel,
  atMs: number,
): Explanation {
  if (reason === "transfer") {
    return line(
      `The leader asked ${node} to take over, so it campaigns at once in term ${term}, without waiting for its timeout.`,
      dissertation("§3.10"),
    );
  }
  if (!preVote) {
    return line(
      `A majority would vote for ${node}, so it becomes a candidate in term ${term}: it votes for itself and asks the others.`,
      paper("§5.2"),
    );
  }
  const silence = cluster.silenceMs(node, atMs);
  const how = silence === null ? "an election timeout" : duration(silence);
  return line(
    `${node} received nothing from a leader for ${how}, so it asks if the others would vote for it in term ${term} (pre-vote).`,
    dissertation("§9.6"),
  );
}

function explainDenial(
  node: NodeId,
  { to, term, preVote, reason }: Events["voteDenied"],
  { nodes }: ClusterModel,
): Explanation {
  const view = nodes.get(node);
  const whom = view?.term === term && view.votedFor !== null && view.votedFor !== to ? ` to ${view.votedFor}` : "";
  const reasons: Readonly<Record<VoteDenial, readonly [string, Section]>> = {
    staleTerm: [`${to} asked for term ${term}, which is over`, paper("§5.1")],
    alreadyVoted: [
      `it has already given its vote of term ${term}${whom}, and each node has one vote per term`,
      paper("§5.2"),
    ],
    logBehind: [`its own log is more up to date${logsCompared(view, nodes.get(to))}`, paper("§5.4.1")],
    leaderAlive: [
      "it receives messages from a leader, and a leader that is alive must not be deposed",
      dissertation("§4.2.3"),
    ],
    restartedRecently: [
      "it has just started, and may have had a leader before that it must not help to depose",
      dissertation("§4.2.3"),
    ],
  };
  const [why, section] = reasons[reason];
  return line(`${node} ${preVote ? "would not vote for" : "refused its vote to"} ${to}: ${why}.`, section, "bad");
}

/** Compares the ends of two logs, if the known ones agree with the refusal. */
function logsCompared(own: NodeView | undefined, other: NodeView | undefined): string {
  const [mine, theirs] = [lastOf(own), lastOf(other)];
  if (mine === null || theirs === null) return "";
  if (mine.term < theirs.term || (mine.term === theirs.term && mine.index <= theirs.index)) return "";
  return ` (it ends with entry ${mine.index} of term ${mine.term}, ${other?.id}'s with entry ${theirs.index} of term ${theirs.term})`;
}

function lastOf(view: NodeView | undefined): { index: number; term: number } | null {
  if (view === undefined) return null;
  return view.entries.at(-1) ?? view.snapshot ?? { index: 0, term: 0 };
}

function explainRole(node: NodeId, { role, term, reason }: Events["roleChanged"]): Explanation | null {
  if (role === "leader") {
    return line(
      `${node} leads in term ${term}: ${reason}. It begins with an empty entry, which also commits the entries of earlier terms.`,
      paper("§5.2"),
      "good",
      true,
    );
  }
  if (role !== "follower") return null;
  // The others follow the winner, which needs no line; giving up does.
  if (reason === "received a message from the leader") return null;
  return line(`${node} becomes a follower again, in term ${term}: ${reason}.`, sectionOf(reason));
}

/** Returns the section about a reason to give up; the reasons are those of lib/raft. */
function sectionOf(reason: string): Section {
  if (reason.includes("no quorum answered")) return dissertation("§6.2");
  if (reason.includes("denied")) return paper("§5.2");
  if (reason.includes("persist")) return paper("§5, figure 2");
  return paper(reason.includes("no longer a voter") ? "§6" : "§5.1");
}

function explainMembership(
  node: NodeId,
  { index, membership, reason }: Events["membershipChanged"],
  { nodes }: ClusterModel,
): Explanation | null {
  if (reason === "rolledBack") {
    return line(
      `${node} returns to the membership of entry ${index}: the newer one was deleted with its log.`,
      paper("§6"),
      "bad",
    );
  }
  // Every node appends the entry; the leader does so first.
  if (reason !== "appended" || nodes.get(node)?.role !== "leader") return null;
  const joint = membership.outgoing.length > 0;
  return line(
    joint
      ? `The membership changes by entry ${index}: until that is complete, both a majority of ${
        listOf(membership.voters)
      } and a majority of ${listOf(membership.outgoing)} have to agree.`
      : `The membership changes by entry ${index}, in force as soon as it is in the log: ${members(membership)}.`,
    joint ? paper("§6") : dissertation("§4.1"),
    "plain",
    true,
  );
}

function members({ voters, learners }: Membership): string {
  const votes = `${listOf(voters)} ${voters.length === 1 ? "votes" : "vote"}`;
  return learners.length === 0
    ? votes
    : `${votes}; ${listOf(learners)} ${learners.length === 1 ? "is a learner" : "are learners"}`;
}
