/**
 * The next step after an error about members, in the words of the host: flags
 * and commands for servers, calls for a page.
 *
 * @module
 */

/** The hints of errors about storage and members. Each is one or two full sentences. */
export interface Hints {
  /** The storage belongs to the node with this id. */
  wrongStorage(id: string): string;
  /** The storage is empty, and neither a new cluster nor joining one was asked for. */
  readonly chooseStart: string;
  /** A peer has another id than expected. */
  readonly wrongPeer: string;
  /** Another node than the one to be added answers at its address. */
  readonly wrongAddress: string;
  /** The learner to be promoted is silent. */
  readonly notThere: string;
  /** No node answers at the address of a new member. */
  readonly startFirst: string;
  /** The node at the address of a new member has data of its own. */
  readonly startEmpty: string;
  /** The learner lags too far behind to be promoted now. */
  readonly stillBehind: string;
  /** Another member already has the address of a new member. */
  removeFirst(id: string): string;
  /** The learner was added, but not promoted yet. */
  promoteLater(id: string): string;
  /** The member's data is gone: the steps to bring it back. */
  replace(id: string, address: string): string;
}
