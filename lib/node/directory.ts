/**
 * Where other nodes are reached.
 *
 * @module
 */

import type { Membership, NodeId } from "../raft/types.ts";

/** What is needed to write an envelope. */
export interface Peer {
  readonly address: string;
  /** Empty if not known. */
  readonly incarnation: string;
}

const MAX_OTHERS = 128;

/**
 * The members as the newest membership has them. Beside them a bounded number of
 * others, most recent last: removed members, who may still have to be told, and
 * senders that this node's membership doesn't know yet (dissertation §4.1).
 */
export class Directory {
  #membership: Membership | null = null;
  #members = new Map<NodeId, Peer>();
  readonly #others = new Map<NodeId, Peer>();
  /** Senders under a member's name, but with another data folder: this node's membership, or theirs, is an old one. */
  readonly #namesakes = new Map<NodeId, Peer>();

  /** Takes over a membership; those who are in it no more are remembered. */
  update(membership: Membership): void {
    if (membership === this.#membership) return;
    this.#membership = membership;
    this.#namesakes.clear();
    const former = this.#members;
    this.#members = new Map(membership.members.map((member) => [member.id, member]));
    for (const id of this.#members.keys()) this.#others.delete(id);
    for (const [id, peer] of former) {
      if (!this.#members.has(id)) this.#remember(id, peer);
    }
  }

  /** Remembers a sender, unless the membership knows it better. */
  heardFrom(id: NodeId, address: string, incarnation: string): void {
    if (address === "") return;
    const member = this.#members.get(id);
    if (member !== undefined) {
      if (member.incarnation === "" || member.incarnation === incarnation) this.#namesakes.delete(id);
      else this.#namesakes.set(id, { address, incarnation });
      return;
    }
    const known = this.#others.get(id);
    if (known?.address === address && known.incarnation === incarnation) return;
    this.#remember(id, { address, incarnation });
  }

  lookup(id: NodeId): Peer | undefined {
    return this.#members.get(id) ?? this.#others.get(id);
  }

  /** Who last asked under this name: the one to answer. */
  asker(id: NodeId): Peer | undefined {
    return this.#namesakes.get(id) ?? this.lookup(id);
  }

  /** The member of the newest membership, if it is one. */
  member(id: NodeId): Peer | undefined {
    return this.#members.get(id);
  }

  #remember(id: NodeId, peer: Peer): void {
    this.#others.delete(id);
    this.#others.set(id, peer);
    if (this.#others.size <= MAX_OTHERS) return;
    for (const oldest of this.#others.keys()) {
      this.#others.delete(oldest);
      return;
    }
  }
}
