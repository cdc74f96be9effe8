/**
 * The start of a node, before its loop: identity, and the first membership.
 */

import { RaftError } from "../errors.ts";
import { randomId } from "../random_id.ts";
import { encodeMembership, validateMembership } from "../raft/mod.ts";
import type { Entry, HardState, PersistBatch } from "../raft/types.ts";
import { isEmpty } from "../storage.ts";
import type { Identity, LoadedState, Storage } from "../storage.ts";
import { establishIdentity, requireCluster } from "./identity.ts";
import type { RaftNodeOptions } from "./types.ts";

/** The state of the storage once the node may begin. */
export interface Prepared {
  readonly identity: Identity;
  readonly state: LoadedState;
  /** The number of batches written so far. */
  readonly sequence: number;
}

/**
 * Loads the storage, and gives a new one its identity and, if there is one, the
 * first membership.
 *
 * @throws {RaftError} if the storage belongs to another node or cluster
 */
export async function prepare(options: RaftNodeOptions, random: () => number): Promise<Prepared> {
  const { storage, bootstrap } = options;
  const state = options.loaded ?? await storage.load();
  const isNew = isEmpty(state);
  if (isNew && bootstrap !== undefined) checkBootstrap(options, state.identity);
  const identity = await establishIdentity(storage, state.identity, {
    nodeId: options.id,
    incarnation: options.incarnation ?? randomId(random),
    clusterId: isNew && bootstrap !== undefined ? bootstrap.clusterId : "",
  });
  if (!isNew || bootstrap === undefined) return { identity, state, sequence: 0 };
  const named = await nameCluster(storage, identity, bootstrap.clusterId);
  return { identity: named, ...await writeFirstMembership(storage, state, bootstrap.membership) };
}

/** Writes the first membership: the same entry on every node that starts with it, so that log matching holds from the first entry on. */
async function writeFirstMembership(
  storage: Storage,
  state: LoadedState,
  membership: NonNullable<RaftNodeOptions["bootstrap"]>["membership"],
): Promise<{ state: LoadedState; sequence: number }> {
  const hardState: HardState = { term: 1, votedFor: null };
  const entry: Entry = { index: 1, term: 1, type: "membership", data: encodeMembership(membership) };
  const batch: PersistBatch = { sequence: 1, hardState, snapshot: null, entries: [entry] };
  await storage.persist(batch);
  return {
    state: { ...state, hardState, lastIndex: 1, termStarts: [{ term: 1, index: 1 }], memberships: [entry] },
    sequence: 1,
  };
}

/** Gives the storage its cluster id, unless it has one: a crash may have come between identity and first membership. */
async function nameCluster(storage: Storage, identity: Identity, clusterId: string): Promise<Identity> {
  if (identity.clusterId === clusterId) return identity;
  const named = { ...identity, clusterId };
  await storage.initialize(named);
  return named;
}

function checkBootstrap(options: RaftNodeOptions, found: Identity | null): void {
  const { clusterId, membership } = options.bootstrap!;
  if (clusterId === "") throw new RaftError("invalid_argument", "bootstrap needs a cluster id");
  if (found !== null) requireCluster(found, clusterId);
  try {
    validateMembership(membership);
  } catch (cause) {
    throw new RaftError("invalid_argument", "the first membership is not valid", { cause });
  }
  const own = membership.members.find((member) => member.id === options.id);
  if (own === undefined) {
    throw new RaftError("invalid_argument", `the first membership does not name this node, "${options.id}"`, {
      hint: "Start it without bootstrap, and add it to the cluster.",
    });
  }
  const incarnation = found?.incarnation ?? options.incarnation;
  if (own.incarnation !== "" && own.incarnation !== incarnation) {
    throw new RaftError("identity_mismatch", `the first membership knows "${options.id}" with another data folder`, {
      hint: "A replaced data folder comes in by membership changes: remove the member, then add it again.",
    });
  }
}
