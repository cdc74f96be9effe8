/**
 * Checks envelopes: messages of another cluster, for another node, or to or from a
 * data folder that is no longer the member's are refused.
 */

import type { Message, NodeId } from "../raft/types.ts";
import type { Identity } from "../storage.ts";
import { PROTOCOL_VERSION } from "../transport.ts";
import type { Envelope } from "../transport.ts";
import type { Directory } from "./directory.ts";
import type { RefusedMessages } from "./types.ts";

/** The action that an envelope calls for. */
export type Verdict =
  | { readonly action: "step" }
  /** Make the cluster id durable, then check again. */
  | { readonly action: "adopt" }
  | { readonly action: "refuse"; readonly kind: string; readonly reason: string };

const step: Verdict = { action: "step" };
const adopt: Verdict = { action: "adopt" };
const MAX_REPORTED = 1024;
const MAX_LISTED = 32;
/** The number of candidates that are remembered, each with its term. */
const MAX_CANDIDATES = 64;

type Refused = Omit<RefusedMessages, "lastMs"> & { readonly atMs: number };

/** Checks envelopes, and remembers which refusals were reported. */
export class EnvelopeCheck {
  readonly #expectedCluster: string;
  /** By kind and sender. */
  readonly #refused = new Map<string, Refused>();
  /** By name and term: the data folder that asked for a vote. */
  readonly #candidates = new Map<string, string>();

  /** @param expectedCluster the only cluster that a node without one may adopt; empty for any */
  constructor(expectedCluster: string) {
    this.#expectedCluster = expectedCluster;
  }

  /**
   * Returns the action for an envelope. A node without a cluster adopts that of the
   * first sender that addresses it as a member.
   *
   * @param leaderless set if this node has no leader, and so may have an outdated membership
   */
  check(envelope: Envelope, own: Identity, directory: Directory, leaderless: boolean): Verdict {
    if (envelope.protocolVersion !== PROTOCOL_VERSION) {
      return refuse(
        "protocolVersion",
        `protocol version ${envelope.protocolVersion}, this node's is ${PROTOCOL_VERSION}`,
      );
    }
    if (envelope.to !== own.nodeId) {
      return refuse("receiver", `meant for node "${envelope.to}", this is "${own.nodeId}"`);
    }
    if (envelope.from === own.nodeId) return refuse("sender", `another node calls itself "${own.nodeId}"`);
    if (envelope.toIncarnation !== "" && envelope.toIncarnation !== own.incarnation) {
      return refuse(
        "receiverIncarnation",
        `the sender knows node "${own.nodeId}" with another data folder; remove that member, and then add this one`,
      );
    }
    const known = directory.member(envelope.from);
    const another = known !== undefined && known.incarnation !== "" && known.incarnation !== envelope.fromIncarnation;
    const expected = leaderless || directory.requester(envelope.from)?.incarnation === envelope.fromIncarnation;
    if (another && (isAnswer(envelope.message) || !expected)) return refuseNamesake(envelope);
    if (envelope.clusterId === "") return refuse("cluster", "the sender is in no cluster");
    if (own.clusterId === envelope.clusterId) {
      return this.#isSecondCandidate(envelope) ? refuseNamesake(envelope) : step;
    }
    if (own.clusterId !== "") {
      return refuse("cluster", `cluster "${envelope.clusterId}", this node is in "${own.clusterId}"`);
    }
    if (this.#expectedCluster !== "" && this.#expectedCluster !== envelope.clusterId) {
      return refuse("cluster", `cluster "${envelope.clusterId}", this node waits for "${this.#expectedCluster}"`);
    }
    return this.#mayAdopt(envelope) ? adopt : refuse("notInCluster", "this node was not added to a cluster yet");
  }

  /**
   * Reports whether a node without a cluster may adopt the sender's. A leader that has
   * added the node knows its data folder; that of a cluster that was named need not. So
   * does a candidate: if the leader that added the node crashes before it reaches it, the
   * others may need its vote to elect the next one.
   */
  #mayAdopt({ message: { type }, toIncarnation }: Envelope): boolean {
    const asked = type === "AppendEntries" || type === "InstallSnapshot" || type === "RequestVote";
    return asked && (toIncarnation !== "" || (type !== "RequestVote" && this.#expectedCluster !== ""));
  }

  /**
   * Reports whether another data folder of this name already was a candidate of the
   * term. A vote names the candidate, and not its data folder: a removed node that has
   * not learned of it, and its replacement, must not both get a vote of the same term.
   */
  #isSecondCandidate({ from, fromIncarnation, message }: Envelope): boolean {
    if (message.type !== "RequestVote" || message.preVote) return false;
    const key = `${message.term}\0${from}`;
    const first = this.#candidates.get(key);
    if (first !== undefined) return first !== fromIncarnation;
    this.#candidates.set(key, fromIncarnation);
    if (this.#candidates.size > MAX_CANDIDATES) this.#candidates.delete(this.#candidates.keys().next().value!);
    return false;
  }

  /** Counts a refusal, and reports whether this kind of this sender is new. */
  count(from: NodeId, kind: string, reason: string, nowMs: number): boolean {
    const key = `${kind}\0${from}`;
    const before = this.#refused.get(key);
    if (before === undefined && this.#refused.size >= MAX_REPORTED) return false;
    this.#refused.set(key, { from, kind, reason, count: (before?.count ?? 0) + 1, atMs: nowMs });
    return before === undefined;
  }

  /** Returns the refusals so far, the latest first. */
  refused(nowMs: number): RefusedMessages[] {
    return [...this.#refused.values()]
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, MAX_LISTED)
      .map(({ atMs, ...refused }) => ({ ...refused, lastMs: nowMs - atMs }));
  }
}

/**
 * Reports whether a message is an answer. Answers count in quorums, and so must come
 * from the member itself: a voter with another data folder has forgotten its votes.
 * Requests of candidates and leaders do not depend on that (dissertation §4.1). A
 * node without a leader must process them, since its membership may be outdated: the
 * member may have left, and come back with a new data folder.
 */
export function isAnswer({ type }: Message): boolean {
  return type.endsWith("Response");
}

function refuseNamesake({ from }: Envelope): Verdict {
  return refuse(
    "senderIncarnation",
    `node "${from}" has another data folder than the member of that name; remove the member, and then add the new one`,
  );
}

function refuse(kind: string, reason: string): Verdict {
  return { action: "refuse", kind, reason };
}
