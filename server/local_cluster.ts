/**
 * The nodes that `deno task start` has to start: those of a new cluster, or those
 * whose data it finds.
 */

import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { RaftError } from "../lib/errors.ts";
import { decodeMembership } from "../lib/raft/membership.ts";
import type { Membership } from "../lib/raft/types.ts";
import { manifestName } from "../storage/file/manifest.ts";
import { createFileStorage } from "../storage/file/mod.ts";
import { urlHost } from "./addresses.ts";

/** A node of the cluster. */
export interface LocalNode {
  readonly id: string;
  /** The host and port where it listens. */
  readonly host: string;
}

/** The nodes to start, and why others are left out. */
export interface LocalCluster {
  readonly nodes: readonly LocalNode[];
  /** The members, by which a node with an empty folder finds the others. */
  readonly members: readonly LocalNode[];
  /** A sentence for each node that is not started. */
  readonly remarks: readonly string[];
}

/** The options of the cluster, with `nodes` only if the user named a number. */
export interface LocalClusterOptions {
  readonly data: string;
  readonly nodes: number | undefined;
  readonly host: string;
  readonly port: number;
}

/** The default number of nodes. */
export const NEW_CLUSTER_NODES = 3;

/**
 * Returns the nodes to start. The first start with a folder decides their number;
 * later the members are those of the newest membership that the folder holds.
 *
 * @throws {RaftError} `locked` if a process runs one of the nodes; `refused` if the data is that of another cluster
 * than the options describe; `damaged`, `unsupported_version` or `storage` if it can't be read
 */
export async function localCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { data, host, port } = options;
  const at = (place: number): LocalNode => ({ id: `n${place + 1}`, host: `${urlHost(host)}:${port + place}` });
  const nodes = Array.from({ length: options.nodes ?? NEW_CLUSTER_NODES }, (_, place) => at(place));
  const { folders, membership } = await newestMembership(data);
  if (membership === null) return { nodes, members: nodes, remarks: [] };

  const members = membership.members.map(({ id, address }) => ({ id, host: new URL(address).host }));
  checkSameCluster(options, members, nodes);
  const remarks = [
    ...members.filter(({ id }) => !folders.has(id))
      .map(({ id, host }) => `${id} (${host}) is a member, but not started: its data is not in ${data}.`),
    ...[...folders].filter((name) => !members.some(({ id }) => id === name))
      .map((name) => `${name} is not started: it was removed from the cluster.`),
  ];
  return { nodes: members.filter(({ id }) => folders.has(id)), members, remarks };
}

function checkSameCluster(
  { data, nodes: wanted }: LocalClusterOptions,
  members: readonly LocalNode[],
  nodes: readonly LocalNode[],
): void {
  const hosts = members.map(({ id, host }) => `${id}=${host}`).join(", ");
  const moved = members.some(({ id, host }) => nodes.some((node) => node.id === id && node.host !== host));
  const missing = nodes.find(({ id }) => wanted !== undefined && !members.some((member) => member.id === id));
  if (!moved && missing === undefined && (wanted === undefined || wanted === members.length)) return;
  throw new RaftError(
    "refused",
    `the data in ${data} is that of a cluster with the members ${hosts}; nothing was started`,
    {
      hint: moved
        ? "Start it with the --host and --port that it began with, or choose another folder with --data."
        : "Start it without --nodes, or choose another folder with --data. Members are added with: raft member add",
    },
  );
}

/** Reads the data of all nodes in a folder. */
async function newestMembership(
  data: string,
): Promise<{ readonly folders: ReadonlySet<string>; readonly membership: Membership | null }> {
  const folders = new Set<string>();
  let newest = 0;
  let membership: Membership | null = null;
  for (const name of await dataFoldersIn(data)) {
    const storage = createFileStorage(join(data, name));
    try {
      const { identity, lastIndex, memberships, snapshot } = await storage.load();
      if (identity?.nodeId !== name) continue;
      folders.add(name);
      const entry = memberships.at(-1);
      const found = entry === undefined ? snapshot?.membership : decodeMembership(entry.data);
      if (found === undefined || lastIndex <= newest) continue;
      newest = lastIndex;
      membership = found;
    } finally {
      await storage.close();
    }
  }
  return { folders, membership };
}

/** Returns the names of the folders that hold a node's data; other folders are left alone. */
async function dataFoldersIn(data: string): Promise<string[]> {
  const names = await readdir(data).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const isData = (name: string) => access(join(data, name, manifestName)).then(() => true, () => false);
  const found = await Promise.all(names.map(isData));
  return names.filter((_, at) => found[at]).sort();
}
