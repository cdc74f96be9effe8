/**
 * Leader election (§5.2, §5.4.1), with pre-vote (dissertation §9.6) and leader
 * stickiness (§4.2.3).
 */

import { appendAsLeader } from "./proposals.ts";
import { mayHavePromised, promisedToLeader } from "./lease.ts";
import { isVoter } from "./membership.ts";
import { syncPeers } from "./membership_change.ts";
import { electionResult } from "./quorum.ts";
import { becomeFollower, setLeader, setRole } from "./roles.ts";
import { invariant } from "./state.ts";
import type { State } from "./state.ts";
import { MAX_TERM } from "./term_limit.ts";
import type { NodeId, RequestVote, RequestVoteResponse, VoteDenial } from "./types.ts";

/** Counts a tick while this node does not lead. */
export function tickElection(state: State): void {
  if (state.graceTicks > 0) state.graceTicks--;
  state.electionTicks++;
  state.ticksSinceLeader++;
  if (state.electionTicks < state.electionTimeout && !(isAlone(state) && state.role === "follower")) return;
  // A node that can't campaign at least forgets the leader that timed out.
  if (!mayCampaign(state)) return setLeader(state, null);
  if (state.campaignBlocked) {
    // Only a write shows whether the disk works again.
    if (state.durability.inflight === null) state.durability.probeWanted = true;
    state.resetElectionTimer();
    return;
  }
  campaign(state, "timeout");
}

/** Reports whether no other node has a vote, nor had one before: then there is no leader to wait for, not even one that is leaving. */
function isAlone(state: State): boolean {
  const { current, previous } = state.configuration;
  return state.isVoter &&
    [current, previous].every(({ voters, outgoing }) => [...voters, ...outgoing].every((id) => id === state.id));
}

/**
 * Reports whether this node may campaign. A learner never does (dissertation
 * §4.2.1, rule 7). A voter may; so may a node that has just lost its vote, until
 * the membership without it is committed: its log may be the only one with that
 * entry, and the longest (§4.2.2, figure 4.6).
 */
function mayCampaign(state: State): boolean {
  const { configuration, commitIndex } = state;
  return state.isVoter || (configuration.index > commitIndex && state.votesIn(configuration.previous));
}

/**
 * Begins a campaign: with a pre-vote, unless the old leader told this node to take
 * over.
 */
export function campaign(state: State, reason: "timeout" | "transfer"): void {
  if (!mayCampaign(state) || state.campaignBlocked || state.role === "leader") return;
  // There is no number for it.
  if (state.term >= MAX_TERM) return setLeader(state, null);
  // Another campaign while the last vote is not on disk would only raise the term.
  if (!state.durability.hardStateDurable(state) || state.durability.snapshot !== null) return;
  if (reason === "transfer") {
    // The leader itself released this node from its promise (lease.ts).
    state.ticksSinceLeader = Infinity;
    becomeCandidate(state, reason);
  } else becomePreCandidate(state);
}

function becomePreCandidate(state: State): void {
  state.resetElectionTimer();
  state.votes.clear();
  setLeader(state, null);
  setRole(state, "preCandidate", "no word from a leader for an election timeout");
  state.event({ type: "electionStarted", term: state.term + 1, preVote: true, reason: "timeout" });
  requestVotes(state, true, false);
  countVote(state, state.id, true);
}

/** Begins a campaign in a new term. The vote for itself counts once it is durable; see persistence.ts. */
function becomeCandidate(state: State, reason: "timeout" | "transfer"): void {
  state.resetElectionTimer();
  state.votes.clear();
  state.term++;
  state.votedFor = state.id;
  state.leaderRound = 0;
  setLeader(state, null);
  setRole(state, "candidate", reason === "transfer" ? "the leader handed over" : "a quorum would vote for it");
  state.event({ type: "electionStarted", term: state.term, preVote: false, reason });
  requestVotes(state, false, reason === "transfer");
}

function requestVotes(state: State, preVote: boolean, leadershipTransfer: boolean): void {
  const { log, membership } = state;
  const request: RequestVote = {
    type: "RequestVote",
    term: preVote ? state.term + 1 : state.term,
    lastLogIndex: log.lastIndex,
    lastLogTerm: log.lastTerm,
    preVote,
    leadershipTransfer,
  };
  for (const id of new Set([...membership.voters, ...membership.outgoing])) {
    if (id === state.id) continue;
    if (preVote) state.send(id, request);
    else state.sendWhenDurable(id, request);
  }
}

/** Counts a vote of this campaign, and acts when it is decided. A denial may answer an older request: a grant overrides it. */
export function countVote(state: State, from: NodeId, granted: boolean): void {
  if (granted || !state.votes.has(from)) state.votes.set(from, granted);
  const result = electionResult(state.membership, state.votes);
  if (result === "won") {
    if (state.role === "preCandidate") becomeCandidate(state, "timeout");
    // Its own vote counts once it is on disk, and it leads no earlier, no matter how soon others vote (rule 2).
    else if (state.durability.hardStateDurable(state)) becomeLeader(state);
  } else if (result === "lost") {
    becomeFollower(state, state.term, null, "a quorum denied its vote");
  }
}

/** Becomes leader, and appends an empty entry of its own term: only that commits entries of older terms (§5.4.2, §8). */
function becomeLeader(state: State): void {
  invariant(state.role === "candidate", "only a candidate can become leader");
  state.votes.clear();
  state.resetElectionTimer();
  state.leadership = {
    firstIndex: state.log.lastIndex + 1,
    peers: new Map(),
    round: 0,
    roundWanted: true,
    confirmedRound: 0,
    reads: [],
    uncommittedBytes: 0,
    transferTo: null,
    transferTicks: 0,
    timeoutNowSent: false,
    heartbeatTicks: 0,
  };
  setRole(state, "leader", "a quorum voted for it");
  setLeader(state, state.id);
  syncPeers(state);
  appendAsLeader(state, "noop", new Uint8Array(0));
}

/** Reports whether a candidate's log is at least as up-to-date as this node's (§5.4.1): by last term, then by length. */
export function isUpToDate(state: State, lastLogIndex: number, lastLogTerm: number): boolean {
  const { lastIndex, lastTerm } = state.log;
  return lastLogTerm > lastTerm || (lastLogTerm === lastTerm && lastLogIndex >= lastIndex);
}

/**
 * Returns the reason to ignore a request, its term included; `null` if there is none.
 * While a leader is alive its followers ignore others' campaigns, so that a node
 * that returns deposes no leader (dissertation §4.2.3), and leases hold
 * (lease.ts). A leadership transfer overrides that.
 */
function reasonToIgnore(state: State, request: RequestVote): VoteDenial | null {
  if (request.term < state.term) return "staleTerm";
  if (request.leadershipTransfer && !request.preVote) return null;
  if (mayHavePromised(state)) return "restartedRecently";
  return promisedToLeader(state) ? "leaderAlive" : null;
}

/** Answers a vote request. Learners, and nodes that are not in their own membership, answer too (dissertation §4.1, §4.2.1). */
export function handleRequestVote(state: State, from: NodeId, request: RequestVote): void {
  const ignored = reasonToIgnore(state, request);
  if (ignored !== null) return deny(state, from, request, ignored);
  if (request.preVote) return handlePreVote(state, from, request);

  if (request.term > state.term) becomeFollower(state, request.term, null, "a candidate has a higher term");
  if (state.votedFor !== null && state.votedFor !== from) return deny(state, from, request, "alreadyVoted");
  if (!isUpToDate(state, request.lastLogIndex, request.lastLogTerm)) return deny(state, from, request, "logBehind");
  state.votedFor = from;
  state.resetElectionTimer();
  state.event({ type: "voteGranted", to: from, term: request.term, preVote: false });
  state.sendWhenDurable(from, { type: "RequestVoteResponse", term: state.term, voteGranted: true, preVote: false });
}

/** Answers a pre-vote, which changes no node's term or vote; a grant carries the proposed term. */
function handlePreVote(state: State, from: NodeId, request: RequestVote): void {
  if (request.term <= state.term) return deny(state, from, request, "staleTerm");
  if (!isUpToDate(state, request.lastLogIndex, request.lastLogTerm)) return deny(state, from, request, "logBehind");
  state.event({ type: "voteGranted", to: from, term: request.term, preVote: true });
  state.send(from, { type: "RequestVoteResponse", term: request.term, voteGranted: true, preVote: true });
}

function deny(state: State, from: NodeId, { term, preVote }: RequestVote, reason: VoteDenial): void {
  state.event({ type: "voteDenied", to: from, term, preVote, reason });
  state.sendWhenDurable(from, { type: "RequestVoteResponse", term: state.term, voteGranted: false, preVote });
}

/** Counts a vote of the present campaign; ignores answers to an earlier one, of another kind, or of a node without a vote. */
export function handleRequestVoteResponse(state: State, from: NodeId, response: RequestVoteResponse): void {
  if (!isVoter(state.membership, from)) return;
  if (response.preVote) {
    const ofThisCampaign = response.voteGranted ? response.term === state.term + 1 : response.term === state.term;
    if (state.role === "preCandidate" && ofThisCampaign) countVote(state, from, response.voteGranted);
    return;
  }
  if (state.role === "candidate" && response.term === state.term) countVote(state, from, response.voteGranted);
}
