/**
 * How a cluster begins. Nobody starts one with less than everybody: a node with
 * an empty folder that could begin alone, under an id that a running cluster
 * already knows, might vote twice in one term.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import { membershipOf } from "../lib/raft/membership.ts";
import type { Member, Membership } from "../lib/raft/types.ts";
import type { Advice } from "./advice.ts";
import { pause } from "./pause.ts";

/** What a peer tells about itself. */
export interface PeerIdentity {
  readonly nodeId: string;
  readonly incarnation: string;
  /** Where it says that it is reached: every node takes it from there, so that all begin with equal memberships. */
  readonly address: string;
  /** Empty until it is part of a cluster. */
  readonly clusterId: string;
  /** Whether it holds nothing but its own identity. */
  readonly empty: boolean;
  /** Whether its membership records the asker, with the asker's incarnation. */
  readonly knowsCaller: boolean;
  /** The first membership of its cluster, if it still has it. */
  readonly firstMembership: Membership | null;
}

/** How a node with an empty folder begins. */
export type Beginning =
  /** A new cluster: every node begins with this very membership. */
  | { readonly type: "found"; readonly clusterId: string; readonly membership: Membership }
  /** The cluster has begun, counts on this node, and has changed since: its leader sends the log. */
  | { readonly type: "follow"; readonly clusterId: string }
  /** Not everyone has answered. */
  | { readonly type: "wait"; readonly missing: readonly string[] };

/** FNV-1a over UTF-8, 64 bits. Not for secrets: it gives equal names to equal memberships. */
function hash64(text: string, offset: bigint): bigint {
  let hash = offset;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/**
 * The id of the cluster that begins with these members: 32 hexadecimal digits,
 * the same on every node. Incarnations are random, so two clusters never share one.
 */
export function clusterIdOf(membership: Membership): string {
  const text = JSON.stringify(membership.members.map((member) => [member.id, member.address, member.incarnation]));
  const high = hash64(text, 0xcbf29ce484222325n);
  const low = hash64(`${text}${high}`, 0x84222325cbf29ce4n);
  return high.toString(16).padStart(16, "0") + low.toString(16).padStart(16, "0");
}

/**
 * Decides, from what every peer answered in one round, how this node begins.
 * Pure: the same answers give the same decision.
 *
 * @param self This node, as it was told to begin and with its own incarnation.
 * @param peers The others, as it was told of them.
 * @param answers By id; those that didn't answer are missing.
 * @param advice The hints of what is thrown.
 * @throws {RaftError} `identity_mismatch` or `refused`: waiting can't help.
 */
export function decideBeginning(
  self: Member,
  peers: readonly { readonly id: string; readonly address: string }[],
  answers: ReadonlyMap<string, PeerIdentity>,
  advice: Advice,
): Beginning {
  let begun: Beginning | null = null;
  for (const peer of peers) {
    const answer = answers.get(peer.id);
    if (answer === undefined) continue;
    if (answer.nodeId !== peer.id) {
      throw new RaftError("identity_mismatch", `The node at ${peer.address} is ${answer.nodeId}, not ${peer.id}.`, {
        hint: advice.wrongPeer,
      });
    }
    if (answer.empty) continue;
    if (!answer.knowsCaller) throw refusal(self, peer.id, advice);
    begun ??= joining(self, answer);
  }
  if (begun !== null) return begun;
  const missing = peers.filter((peer) => !answers.has(peer.id)).map((peer) => peer.id);
  if (missing.length > 0) return { type: "wait", missing };
  const others = [...answers.values()].map(({ nodeId, address, incarnation }) => ({
    id: nodeId,
    address,
    incarnation,
  }));
  const membership = membershipOf({ voters: [self, ...others] });
  return { type: "found", clusterId: clusterIdOf(membership), membership };
}

/**
 * The others have begun already, as they may once this node has told them who
 * it is. It begins as they did, so that all logs have the same first entry.
 */
function joining(self: Member, { clusterId, firstMembership: membership }: PeerIdentity): Beginning {
  const counted = membership?.members.some(({ id, incarnation }) => id === self.id && incarnation === self.incarnation);
  return membership !== null && counted === true && clusterIdOf(membership) === clusterId
    ? { type: "found", clusterId, membership }
    : { type: "follow", clusterId };
}

function refusal(self: Member, peer: string, advice: Advice): RaftError {
  return new RaftError(
    "refused",
    `${peer} is part of a running cluster that does not know this data folder. ` +
      `An empty folder under the id ${self.id} could vote a second time in a term, so it does not start.`,
    { hint: advice.replace(self.id, self.address) },
  );
}

/** Options of {@linkcode awaitBeginning}. */
export interface AwaitBeginningOptions {
  readonly self: Member;
  readonly peers: readonly { readonly id: string; readonly address: string }[];
  /** Asks a peer; a rejection means that it didn't answer. */
  ask(address: string, signal: AbortSignal): Promise<PeerIdentity>;
  /** The hints of what it rejects with. */
  readonly advice: Advice;
  /** Told whenever those who are missing change. */
  waiting(missing: readonly string[]): void;
  readonly signal: AbortSignal;
  /** @default 250 */
  readonly intervalMs?: number;
}

/** Asks all peers until it is clear how to begin. Rejects when the signal aborts. */
export async function awaitBeginning(options: AwaitBeginningOptions): Promise<Exclude<Beginning, { type: "wait" }>> {
  let told = "";
  for (;;) {
    options.signal.throwIfAborted();
    const answers = new Map<string, PeerIdentity>();
    await Promise.all(options.peers.map(async ({ id, address }) => {
      try {
        answers.set(id, await options.ask(address, AbortSignal.any([options.signal, AbortSignal.timeout(2000)])));
      } catch {
        // Not there yet; the next round asks again.
      }
    }));
    const beginning = decideBeginning(options.self, options.peers, answers, options.advice);
    if (beginning.type !== "wait") return beginning;
    const missing = beginning.missing.join(", ");
    if (missing !== told) options.waiting(beginning.missing);
    told = missing;
    await pause(options.intervalMs ?? 250, options.signal);
  }
}
