/**
 * The page's address, which is kept up to date: reloaded or opened again, it runs
 * the same nodes.
 */

import type { NodeId } from "../../mod.ts";

/** The parameters of the page. */
export interface PageParameters {
  /** The name of the cluster; `null` for the one of this browser. */
  readonly cluster: string | null;
  /** The base URLs of the servers that form the cluster; none for a cluster of tabs. */
  readonly servers: readonly string[];
  /** The nodes that this page runs; `null` if the address has none. */
  readonly nodes: readonly NodeId[] | null;
  /**
   * Lets a new node on this page join, once the user agrees, or at once with the invitation of this browser; `null`
   * if the address doesn't ask for that.
   */
  readonly join: string | null;
  /** The election timeout of a new cluster, or as set on the servers. */
  readonly electionTimeoutMs: number | null;
}

/** Parses an address, and leaves out invalid values. */
export function readParameters(href: string): PageParameters {
  const { searchParams } = new URL(href);
  const name = searchParams.get("cluster");
  const nodes = searchParams.get("nodes");
  const election = Number(searchParams.get("election"));
  return {
    cluster: name !== null && isName(name) ? name : null,
    servers: (searchParams.get("servers") ?? "").split(",").flatMap(serverUrl).sort(),
    nodes: nodes === null ? null : nodes.split(",").filter(isName),
    join: searchParams.get("join"),
    electionTimeoutMs: Number.isFinite(election) && election >= 100 && election <= 60_000 ? election : null,
  };
}

/** The part of the address that never changes. */
export type ClusterAddress = Pick<PageParameters, "servers"> & { readonly cluster: string };

/** Returns the address of a page that runs these nodes. With none it is that of a page just opened. */
export function pageUrl(href: string, cluster: ClusterAddress, nodes: readonly NodeId[]): string {
  return withQuery(href, cluster, nodes.length === 0 ? "" : `&nodes=${nodes.join(",")}`);
}

/**
 * Returns the address of a page that joins with a node of its own.
 *
 * @param invitation the one of this browser's {@linkcode Consent}, with which its pages don't ask the user again
 */
export function joinUrl(href: string, cluster: ClusterAddress, invitation = ""): string {
  return withQuery(href, cluster, invitation === "" ? "&join" : `&join=${encodeURIComponent(invitation)}`);
}

/** Returns this browser's name for a cluster of servers. */
export function serversName(servers: readonly string[]): string {
  return servers.map((server) => server.replace(/^https?:\/\//, "").replace(/[^\w.-]/g, "-")).join("_").slice(0, 64);
}

function withQuery(href: string, { cluster, servers }: ClusterAddress, rest: string): string {
  const { origin, pathname } = new URL(href);
  const query = servers.length === 0 ? `cluster=${cluster}` : `servers=${servers.map(encodeURI).join(",")}`;
  return `${origin}${pathname}?${query}${rest}`;
}

/** Returns a base URL in the form of memberships; nothing if it is not one. */
function serverUrl(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { protocol, origin, pathname } = new URL(text);
  return /^https?:$/.test(protocol) ? [`${origin}${pathname}`.replace(/\/$/, "")] : [];
}

function isName(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}
