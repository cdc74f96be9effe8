/**
 * Who may talk to this node: messages of another cluster, for another node, or
 * to or from a data folder that is no longer the member are refused.
 *
 * @module
 */

import { RaftError, StorageError } from "../errors.ts";
import type { NodeId } from "../raft/types.ts";
import type { Identity, Storage } from "../storage.ts";
import { PROTOCOL_VERSION } from "../transport.ts";
import type { Envelope } from "../transport.ts";
import type { Directory } from "./directory.ts";

/** What is to be done with an envelope. */
export type Verdict =
  | { readonly do: "step" }
  /** Make the cluster id durable, then look again. */
  | { readonly do: "adopt" }
  | { readonly do: "refuse"; readonly kind: string; readonly reason: string };

const step: Verdict = { do: "step" };
const adopt: Verdict = { do: "adopt" };
const MAX_TOLD = 1024;

/** Checks envelopes, and remembers which refusals were told. */
export class Gatekeeper {
  readonly #told = new Set<string>();

  /**
   * A node without a cluster adopts that of the first who addresses it as a member.
   */
  check(envelope: Envelope, own: Identity, directory: Directory): Verdict {
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
    if (known !== undefined && known.incarnation !== "" && known.incarnation !== envelope.fromIncarnation) {
      return refuse(
        "senderIncarnation",
        `node "${envelope.from}" has another data folder than the member of that name; remove the member, and then add the new one`,
      );
    }
    if (envelope.clusterId === "") return refuse("cluster", "the sender is in no cluster");
    if (own.clusterId === envelope.clusterId) return step;
    if (own.clusterId !== "") {
      return refuse("cluster", `cluster "${envelope.clusterId}", this node is in "${own.clusterId}"`);
    }
    return mayAdopt(envelope) ? adopt : refuse("notInCluster", "this node was not added to a cluster yet");
  }

  /** Whether this kind of refusal of this sender is new. */
  firstTime(from: NodeId, kind: string): boolean {
    const key = `${kind}\0${from}`;
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return false;
    this.#told.add(key);
    return true;
  }
}

/**
 * A leader has the node in its membership. So has a candidate that knows its
 * incarnation: should the leader that added the node crash before it reached it,
 * the others may need its vote to elect the next one.
 */
function mayAdopt({ message: { type }, toIncarnation }: Envelope): boolean {
  return type === "AppendEntries" || type === "InstallSnapshot" || (type === "RequestVote" && toIncarnation !== "");
}

function refuse(kind: string, reason: string): Verdict {
  return { do: "refuse", kind, reason };
}

/** Reads who the storage belongs to, or gives a new one to this node. */
export async function establishIdentity(
  storage: Storage,
  found: Identity | null,
  wanted: { readonly nodeId: NodeId; readonly incarnation: string; readonly clusterId: string },
): Promise<Identity> {
  if (found === null) {
    await storage.initialize(wanted);
    return wanted;
  }
  if (found.nodeId !== wanted.nodeId) {
    throw new StorageError(`the storage belongs to node "${found.nodeId}", not to "${wanted.nodeId}"`, {
      code: "identity_mismatch",
      disk: "unchanged",
      hint: "Start the node with the storage's own id, or with a new storage.",
    });
  }
  return found;
}

/** A random name for a data folder or a snapshot: 128 bits in hexadecimal. */
export function randomName(random: () => number): string {
  let name = "";
  for (let i = 0; i < 8; i++) name += Math.floor(random() * 0x10000).toString(16).padStart(4, "0");
  return name;
}

/** @throws {RaftError} `identity_mismatch` if the storage is in another cluster. */
export function requireCluster(identity: Identity, clusterId: string): void {
  if (identity.clusterId === "" || identity.clusterId === clusterId) return;
  throw new RaftError(
    "identity_mismatch",
    `the storage belongs to cluster "${identity.clusterId}", not to "${clusterId}"`,
    {
      hint: "Start the node with a new storage, or without bootstrap.",
    },
  );
}
