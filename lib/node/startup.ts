/**
 * The start of a node, before its loop: identity, and the first membership.
 */

import { RaftError, StorageError } from "../errors.ts";
import { randomId } from "../random_id.ts";
import { encodeMembership, memberOf, problemOfRestored, validateMembership } from "../raft/mod.ts";
import type { Entry, HardState, Membership } from "../raft/types.ts";
import { isEmpty } from "../storage.ts";
import type { Identity, LoadedState, Storage } from "../storage.ts";
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
 * @throws {RaftError} if the storage belongs to another node or cluster, or has a state that no node leaves there
 */
export async function prepare(options: RaftNodeOptions, random: () => number): Promise<Prepared> {
  const { id, storage } = options;
  const state = options.loaded ?? await storage.load();
  const problem = problemOfRestored(state);
  if (problem !== null) {
    throw new StorageError(`the storage has a state that no node leaves there: ${problem}`, {
      code: "damaged",
      disk: "unchanged",
      hint: "Nothing was changed. Remove the node from the cluster, and add one with an empty storage.",
    });
  }
  const bootstrap = isEmpty(state) ? options.bootstrap : undefined;
  if (bootstrap !== undefined) checkBootstrap(options, bootstrap, state.identity);
  checkCluster(options.expectedClusterId ?? "", bootstrap?.clusterId ?? state.identity?.clusterId ?? "");
  const clusterId = bootstrap?.clusterId ?? "";
  let identity = state.identity;
  if (identity === null) {
    identity = { nodeId: id, incarnation: options.incarnation ?? randomId(random), clusterId };
    await storage.initialize(identity);
  } else if (identity.nodeId !== id) {
    throw new StorageError(`the storage belongs to node "${identity.nodeId}", not to "${id}"`, {
      code: "identity_mismatch",
      disk: "unchanged",
      hint: "Start the node with the storage's own id, or with a new storage.",
    });
  }
  if (bootstrap === undefined) return { identity, state, sequence: 0 };
  if (identity.clusterId !== clusterId) {
    // A crash may have come between identity and first membership.
    identity = { ...identity, clusterId };
    await storage.initialize(identity);
  }
  return { identity, state: await writeFirstMembership(storage, state, bootstrap.membership), sequence: 1 };
}

/** Writes the first membership: the same entry on every node that starts with it, so that log matching holds from the first entry on. */
async function writeFirstMembership(
  storage: Storage,
  state: LoadedState,
  membership: Membership,
): Promise<LoadedState> {
  const hardState: HardState = { term: 1, votedFor: null };
  const entry: Entry = { index: 1, term: 1, type: "membership", data: encodeMembership(membership) };
  await storage.persist({ sequence: 1, hardState, snapshot: null, entries: [entry] });
  return { ...state, hardState, lastIndex: 1, termStarts: [{ term: 1, index: 1 }], memberships: [entry] };
}

function checkBootstrap(
  options: RaftNodeOptions,
  { clusterId, membership }: NonNullable<RaftNodeOptions["bootstrap"]>,
  found: Identity | null,
): void {
  if (clusterId === "") throw new RaftError("invalid_argument", "bootstrap needs a cluster id");
  if (found !== null && found.clusterId !== "" && found.clusterId !== clusterId) {
    throw new RaftError(
      "identity_mismatch",
      `the storage belongs to cluster "${found.clusterId}", not to "${clusterId}"`,
      { hint: "Start the node with a new storage, or without bootstrap." },
    );
  }
  try {
    validateMembership(membership);
  } catch (cause) {
    throw new RaftError("invalid_argument", "the first membership is not valid", { cause });
  }
  const own = memberOf(membership, options.id);
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

/** Checks that the cluster of a storage, or of a bootstrap, is the one that was named. */
function checkCluster(named: string, actual: string): void {
  if (named === "" || actual === "" || named === actual) return;
  throw new RaftError("identity_mismatch", `the node belongs to cluster "${actual}", not to "${named}"`, {
    hint: "Name that cluster, or start the node with another storage.",
  });
}
