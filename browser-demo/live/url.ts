/**
 * What the page's address says, and how it is kept true: whoever reloads the page
 * or opens it again gets the same nodes.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";

/** The parameters of the page. */
export interface PageParameters {
  /** The name of the cluster; `null` for the one of this browser. */
  readonly cluster: string | null;
  /** Base URLs of servers whose cluster it is; none for a cluster of tabs. */
  readonly servers: readonly string[];
  /** The nodes that this page runs; `null` if it does not say. */
  readonly nodes: readonly NodeId[] | null;
  /** Whether a new node of this page is to join. */
  readonly join: boolean;
  /** How long a follower waits for a leader: of a new cluster, or as the servers have it. */
  readonly electionTimeoutMs: number | null;
}

/** Reads an address. What makes no sense is left out. */
export function readParameters(href: string): PageParameters {
  const { searchParams } = new URL(href);
  const name = searchParams.get("cluster");
  const nodes = searchParams.get("nodes");
  const election = Number(searchParams.get("election"));
  return {
    cluster: name !== null && isName(name) ? name : null,
    servers: (searchParams.get("servers") ?? "").split(",").flatMap(serverUrl).sort(),
    nodes: nodes === null ? null : nodes.split(",").filter(isName),
    join: searchParams.has("join"),
    electionTimeoutMs: Number.isFinite(election) && election >= 100 && election <= 60_000 ? election : null,
  };
}

/** What the address says of the cluster, and goes on saying whatever happens on the page. */
export type ClusterAddress = Pick<PageParameters, "servers"> & { readonly cluster: string };

/** The address of a page that runs these nodes. One that runs none is as one that was just opened. */
export function pageUrl(href: string, cluster: ClusterAddress, nodes: readonly NodeId[]): string {
  return withQuery(href, cluster, nodes.length === 0 ? "" : `&nodes=${nodes.join(",")}`);
}

/** The address of a page that joins with a node of its own. */
export function joinUrl(href: string, cluster: ClusterAddress): string {
  return withQuery(href, cluster, "&join");
}

/** By what name this browser knows a cluster of servers. */
export function serversName(servers: readonly string[]): string {
  return servers.map((server) => server.replace(/^https?:\/\//, "").replace(/[^\w.-]/g, "-")).join("_").slice(0, 64);
}

function withQuery(href: string, { cluster, servers }: ClusterAddress, rest: string): string {
  const { origin, pathname } = new URL(href);
  const query = servers.length === 0 ? `cluster=${cluster}` : `servers=${servers.map(encodeURI).join(",")}`;
  return `${origin}${pathname}?${query}${rest}`;
}

/** A base URL as it is written in a membership, if it is one. */
function serverUrl(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { protocol, origin, pathname } = new URL(text);
  return /^https?:$/.test(protocol) ? [`${origin}${pathname}`.replace(/\/$/, "")] : [];
}

function isName(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}
