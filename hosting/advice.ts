/**
 * What to do next, in the words of whoever runs the nodes: flags and commands
 * for servers, calls for a page.
 *
 * @module
 */

/** The hints of errors about members. Each is one or two sentences. */
export interface Advice {
  /** A peer turned out to be somebody else. */
  readonly wrongPeer: string;
  /** Nobody answers where a new member should be. */
  readonly startFirst: string;
  /** What was found there has data of its own. */
  readonly startEmpty: string;
  /** The learner lacks too much to be promoted now. */
  readonly stillBehind: string;
  /** A new member is where another member is. */
  removeFirst(id: string): string;
  /** The learner was added, and its promotion is left to do. */
  promoteLater(id: string): string;
  /** The member's data are gone: how it comes back. */
  replace(id: string, address: string): string;
}
