/**
 * Kinds of addresses.
 *
 * @module
 */

/** Reports whether an address is that of a node in a tab: it is reached through a relay, or not at all. */
export function isTabAddress(address: string): boolean {
  return address.startsWith("tab:");
}
