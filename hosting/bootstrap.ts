/**
 * Decides how a node with an empty folder begins. A cluster starts only with all
 * of its nodes: a node with an empty folder that started alone, under an id that
 * a running cluster already knows, could vote twice in one term.
 */

import { RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import { decodeMembership, membershipOf } from "../lib/raft/membership.ts";
import type { Member, Membership } from "../lib/raft/types.ts";
import type { PeerIdentity } from "../transport/wire/identity.ts";
import type { Hints } from "./hints.ts";

/** A node in the list of a new cluster. */
export interface PeerAddress {
  /** The node's name. */
  readonly id: string;
  /** A base URL, such as `http://127.0.0.1:7001`. */
  readonly address: string;
}

/** The way a node with an empty folder begins. */
export type BootstrapDecision =
  /** A new cluster: every node begins with this very membership. */
  | { readonly type: "bootstrap"; readonly clusterId: string; readonly membership: Membership }
  /** The cluster has begun, counts on this node, and has changed since: its leader sends the log. */
  | { readonly type: "join"; readonly clusterId: string }
  /** Some peers have not answered. */
  | { readonly type: "wait"; readonly missing: readonly string[] };

/** Hashes UTF-8 by FNV-1a with 64 bits. Not for secrets: it gives equal names to equal memberships. */
function hash64(text: string, offset: bigint): bigint {
  let hash = offset;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/**
 * Returns the id of the cluster that begins with these members: 32 hexadecimal
 * digits, the same on every node. Incarnations are random, so two clusters never
 * share one.
 */
export function clusterIdOf(membership: Membership): string {
  const text = JSON.stringify(membership.members.map((member) => [member.id, member.address, member.incarnation]));
  const high = hash64(text, 0xcbf29ce484222325n);
  const low = hash64(`${text}${high}`, 0x84222325cbf29ce4n);
  return high.toString(16).padStart(16, "0") + low.toString(16).padStart(16, "0");
}

/**
 * Decides from one round of answers how this node begins. Pure: the same answers
 * give the same decision.
 *
 * @param self This node as it was configured, with its own incarnation.
 * @param peers The other nodes of the list.
 * @param answers The answers by id; silent peers are missing.
 * @param hints The hints of the errors.
 * @throws {RaftError} `identity_mismatch` or `refused`: waiting can't help.
 */
export function decideBootstrap(
  self: Member,
  peers: readonly PeerAddress[],
  answers: ReadonlyMap<string, PeerIdentity>,
  hints: Hints,
): BootstrapDecision {
  let begun: BootstrapDecision | null = null;
  for (const peer of peers) {
    const answer = answers.get(peer.id);
    if (answer === undefined) continue;
    if (answer.nodeId !== peer.id) {
      throw new RaftError("identity_mismatch", `the node at ${peer.address} is ${answer.nodeId}, not ${peer.id}`, {
        hint: hints.wrongPeer,
      });
    }
    if (answer.empty) continue;
    if (!answer.knowsCaller) throw unknownFolder(self, peer.id, hints);
    begun ??= asTheOthers(self, answer);
  }
  if (begun !== null) return begun;
  const missing = peers.filter((peer) => !answers.has(peer.id)).map((peer) => peer.id);
  if (missing.length > 0) return { type: "wait", missing };
  // Every address is as its node advertises it, so that all start with equal memberships.
  const others = [...answers.values()].map(({ nodeId: id, address, incarnation }) => ({ id, address, incarnation }));
  const membership = membershipOf({ voters: [self, ...others] });
  return { type: "bootstrap", clusterId: clusterIdOf(membership), membership };
}

/**
 * Begins as the others did. They may have begun once this node had answered
 * them; with their membership all logs have the same first entry.
 */
function asTheOthers(self: Member, { clusterId, membership: encoded }: PeerIdentity): BootstrapDecision {
  const membership = firstMembership(encoded);
  const counted = membership?.members.some(({ id, incarnation }) => id === self.id && incarnation === self.incarnation);
  return membership !== null && counted === true && clusterIdOf(membership) === clusterId
    ? { type: "bootstrap", clusterId, membership }
    : { type: "join", clusterId };
}

/** Decodes a membership. One that is unreadable (from a newer version, or damaged) counts as none: the leader's log will bring it. */
function firstMembership(encoded: Uint8Array): Membership | null {
  try {
    return encoded.length === 0 ? null : decodeMembership(encoded);
  } catch {
    return null;
  }
}

function unknownFolder(self: Member, peer: string, hints: Hints): RaftError {
  return new RaftError(
    "refused",
    `${peer} belongs to a running cluster that does not know this data folder; ` +
      `an empty folder under the id ${self.id} could vote twice in a term`,
    { hint: hints.replace(self.id, self.address) },
  );
}

export interface AwaitBootstrapOptions {
  readonly self: Member;
  readonly peers: readonly PeerAddress[];
  /** Asks a peer for its identity; a rejection means that it didn't answer. */
  ask(address: string, signal: AbortSignal): Promise<PeerIdentity>;
  /** The hints of the errors. */
  readonly hints: Hints;
  /** Receives the names of the silent peers whenever they change. */
  waiting(missing: readonly string[]): void;
  readonly signal: AbortSignal;
  /** Milliseconds between two rounds. @default 250 */
  readonly intervalMs?: number;
}

/** Milliseconds that one peer may take to answer. */
const ASK_TIMEOUT_MS = 2000;

/** Asks all peers until the decision is clear. Rejects when the signal aborts. */
export async function awaitBootstrap(
  options: AwaitBootstrapOptions,
): Promise<Exclude<BootstrapDecision, { type: "wait" }>> {
  const { self, peers, hints, signal } = options;
  let reported = "";
  for (;;) {
    signal.throwIfAborted();
    const answers = new Map<string, PeerIdentity>();
    await Promise.all(peers.map(async ({ id, address }) => {
      try {
        const inTime = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
        answers.set(id, await options.ask(address, inTime));
      } catch {
        // Not there yet; the next round asks again.
      }
    }));
    const decision = decideBootstrap(self, peers, answers, hints);
    if (decision.type !== "wait") return decision;
    const missing = decision.missing.join(", ");
    if (missing !== reported) options.waiting(decision.missing);
    reported = missing;
    await pause(systemClock, options.intervalMs ?? 250, signal);
  }
}
