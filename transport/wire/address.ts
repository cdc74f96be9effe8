/**
 * Addresses of nodes.
 */

import { RaftError } from "../../lib/errors.ts";

/**
 * Returns the base URL of a node's address: `host:port` is reached over plain HTTP, an
 * address with `http://` or `https://` as it says.
 *
 * @throws {RaftError} `invalid_argument` if it is not an address
 */
export function baseUrl(address: string): string {
  const text = address.includes("://") ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new RaftError("invalid_argument", `not an address: ${JSON.stringify(address)}`, {
      hint: "Write HOST:PORT, or a URL that begins with http:// or https://.",
    });
  }
  return url.origin + url.pathname.replace(/\/$/, "");
}

/** Returns the address of a node in a tab. */
export function tabAddress(id: string): string {
  return `tab:${id}`;
}

/** Reports whether an address is that of a node in a tab: it is reached through a relay, or not at all. */
export function isTabAddress(address: string): boolean {
  return address.startsWith("tab:");
}
