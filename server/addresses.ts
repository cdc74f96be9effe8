/**
 * The addresses of a server: where it listens, and where other nodes reach it.
 *
 * @module
 */

import type { PeerAddress } from "../hosting/bootstrap.ts";

/** An address to listen on. */
export interface ListenAddress {
  /** A host name or address, without brackets. */
  readonly hostname: string;
  /** The port; 0 for any free one. */
  readonly port: number;
}

/** The options that an advertised address depends on. */
interface Addresses {
  readonly id: string;
  readonly listen: ListenAddress;
  readonly advertise?: string;
  readonly peers?: readonly PeerAddress[];
}

/** Returns a host name or address as a URL has it: an IPv6 address in brackets. */
export function urlHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

/** Returns the address at which other nodes reach the node: as configured, else as in `peers`, else where it listens. */
export function advertisedAddress({ id, listen: { hostname }, advertise, peers }: Addresses, port: number): string {
  return advertise ?? peers?.find((peer) => peer.id === id)?.address ?? `http://${urlHost(hostname)}:${port}`;
}
