/**
 * Addresses of nodes.
 */

import { RaftError } from "../../lib/errors.ts";

/**
 * Returns the base URL of an endpoint that a client was given: `host:port` is reached over plain HTTP, a URL as it
 * says, with its path, which a proxy in front of the node may need. For an address that was received from elsewhere
 * see {@linkcode nodeUrl}.
 *
 * @throws {RaftError} `invalid_argument` if it is not an address
 */
export function baseUrl(address: string): string {
  const url = parsed(address);
  if (url === null) throw notAnAddress(address, "Write HOST:PORT, or a URL that begins with http:// or https://.");
  return url.origin + url.pathname.replace(/\/$/, "");
}

/**
 * Returns the base URL of a node that other nodes call, as its address in the membership says: a host and a port, with
 * or without a scheme. Anything more (a path, a query, a user) is refused, so that an address that was received from
 * elsewhere can't make a node call anything but a node. The port may be left out only after a scheme.
 *
 * @throws {RaftError} `invalid_argument` if it is not the address of a node
 */
export function nodeUrl(address: string): string {
  const url = parsed(address);
  const plain = /^(?:https?:\/\/[^/]+|[^/]+:\d+)\/?$/i.test(address);
  if (url === null || !plain || url.port === "0") throw notAnAddress(address, NODE_ADDRESS_HINT);
  return url.origin;
}

/**
 * Returns the address of a node as memberships have it: a base URL, or the address of a node in a tab.
 *
 * @throws {RaftError} `invalid_argument` if it is neither
 */
export function nodeAddress(address: string): string {
  if (!isTabAddress(address)) return nodeUrl(address);
  // deno-lint-ignore no-control-regex -- to refuse them
  if (/^tab:[^\u0000-\u001f\u007f]+$/.test(address)) return address;
  throw notAnAddress(address, NODE_ADDRESS_HINT);
}

const NODE_ADDRESS_HINT = "Write HOST:PORT, http://HOST:PORT or https://HOST:PORT, without a path; tab:ID for a tab.";

/** Parses an address that has no part which could carry anything else; `null` if it is none. */
function parsed(address: string): URL | null {
  // A URL parser drops blanks and line ends, and takes a backslash for a slash.
  if (/[\s\\?#@]/.test(address)) return null;
  const text = address.includes("://") ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "" ? url : null;
}

function notAnAddress(address: string, hint: string): RaftError {
  return new RaftError("invalid_argument", `not an address: ${JSON.stringify(address.slice(0, 128))}`, { hint });
}

/** Returns the address of a node in a tab. */
export function tabAddress(id: string): string {
  return `tab:${id}`;
}

/** Reports whether an address is that of a node in a tab: it is reached through a relay, or not at all. */
export function isTabAddress(address: string): boolean {
  return address.startsWith("tab:");
}
