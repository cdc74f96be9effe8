/**
 * The user's consent to nodes in this browser: a link may ask a page to store a node
 * and let it join a cluster, and only the user may agree to that.
 */

import { get, update } from "idb-keyval";
import { randomId } from "../../lib/random_id.ts";
import { secureRandom } from "../../lib/host.ts";
import type { NodeId } from "../../mod.ts";
import { store } from "./cluster_record.ts";
import type { ClusterAddress, PageParameters } from "./url.ts";

/** The nodes that the user has agreed to, for one cluster. */
export interface Consent {
  /** A secret of this browser in the links that its own pages offer, which no other page can make. */
  readonly invitation: string;
  /** The nodes that pages of this browser have run. */
  readonly nodes: readonly NodeId[];
}

/** The nodes that a page would run without the user's consent. */
export interface Question extends ClusterAddress {
  /** Their names; none for a new node. */
  readonly nodes: readonly NodeId[];
}

/** Returns the consent so far; `null` if there is none. */
export async function readConsent(address: ClusterAddress): Promise<Consent | null> {
  return await get<Consent>(keyOf(address), store) ?? null;
}

/** Records the user's consent to these nodes. */
export async function giveConsent(address: ClusterAddress, nodes: readonly NodeId[]): Promise<Consent> {
  let given: Consent | undefined;
  await update<Consent>(keyOf(address), (before) => {
    const invitation = before?.invitation ?? randomId(secureRandom);
    return given = { invitation, nodes: [...new Set([...before?.nodes ?? [], ...nodes])] };
  }, store);
  return given!;
}

/** Returns what to ask the user before the page runs anything; `null` if there is nothing to ask. */
export function questionOf(
  address: ClusterAddress,
  { nodes, join }: Pick<PageParameters, "nodes" | "join">,
  { consent, founders }: { readonly consent: Consent | null; readonly founders: readonly NodeId[] },
): Question | null {
  const { cluster, servers } = address;
  if (asksToJoin(address, { nodes, join })) {
    return consent !== null && join === consent.invitation ? null : { cluster, servers, nodes: [] };
  }
  // A cluster of tabs lives in this browser alone, and its founders are what the demo shows.
  const allowed = [...consent?.nodes ?? [], ...servers.length === 0 ? founders : []];
  const others = (nodes ?? []).filter((id) => !allowed.includes(id));
  return others.length === 0 ? null : { cluster, servers, nodes: others };
}

/** Reports whether the page is to run a new node, which joins the cluster. */
export function asksToJoin(
  { servers }: Pick<ClusterAddress, "servers">,
  { nodes, join }: Pick<PageParameters, "nodes" | "join">,
): boolean {
  return join !== null || (servers.length > 0 && nodes === null);
}

/** Servers are named in full: another list of servers is another cluster, even if its short name is the same. */
function keyOf({ cluster, servers }: ClusterAddress): string {
  return `consent ${servers.length === 0 ? cluster : servers.join(",")}`;
}
