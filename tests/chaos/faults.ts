/**
 * The faults: how each kind begins and ends.
 *
 * @module
 */

import type { ChaosCluster, Need } from "./chaos_cluster.ts";
import type { ChaosNode } from "./chaos_node.ts";
import type { CutKind } from "./links.ts";

/** A fault under way. */
export interface Injected {
  /** A description with the nodes. */
  readonly what: string;
  /** Ends it; absent if it ends by itself, or when the cluster is repaired. */
  heal?(): Promise<void> | void;
}

/** One kind of fault. */
export interface Fault {
  readonly kind: string;
  readonly needs?: Need;
  /** Begins it. @throws the reason if that is impossible now */
  inject(cluster: ChaosCluster, choice: Choice): Promise<Injected>;
}

/** The random choices of the nemesis, all from one seed. */
export class Choice {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Returns a number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + this.#random() * (high - low);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** Returns the items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, at: this.#random() }));
    return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }

  /** Chooses a node, usually the leader, where faults matter most. */
  async node(cluster: ChaosCluster): Promise<ChaosNode> {
    const [any] = this.shuffled(cluster.nodes);
    const leader = this.chance(0.5) ? await cluster.leader() : null;
    return leader ?? any!;
  }

  cutKind(): CutKind {
    return this.chance(0.5) ? "silent" : "reset";
  }
}

/** How long a slow disk works in between. */
const SLOW_DISK_WORKS_MS = 30;

/** Each kind of fault. */
export const FAULTS: readonly Fault[] = [
  {
    kind: "kill one",
    inject: async (cluster, choice) => await killed(cluster, [await choice.node(cluster)]),
  },
  {
    kind: "kill a minority",
    async inject(cluster, choice) {
      return await killed(cluster, choice.shuffled(cluster.nodes).slice(0, Math.floor((cluster.nodes.length - 1) / 2)));
    },
  },
  { kind: "kill all", inject: async (cluster) => await killed(cluster, cluster.nodes) },
  {
    kind: "pause one",
    inject: async (cluster, choice) => paused([await choice.node(cluster)]),
  },
  {
    kind: "pause a majority",
    inject(cluster, choice) {
      return Promise.resolve(paused(choice.shuffled(cluster.nodes).slice(0, Math.floor(cluster.nodes.length / 2) + 1)));
    },
  },
  {
    kind: "isolate one",
    needs: "links",
    async inject(cluster, choice) {
      const one = await choice.node(cluster);
      return parted(cluster, choice.cutKind(), [[one], cluster.nodes.filter((node) => node !== one)]);
    },
  },
  {
    kind: "split in halves",
    needs: "links",
    inject(cluster, choice) {
      const nodes = choice.shuffled(cluster.nodes);
      const half = Math.floor(nodes.length / 2);
      return Promise.resolve(parted(cluster, choice.cutKind(), [nodes.slice(0, half), nodes.slice(half)]));
    },
  },
  {
    kind: "bridge",
    needs: "links",
    inject(cluster, choice) {
      const [bridge, ...nodes] = choice.shuffled(cluster.nodes);
      const half = Math.floor(nodes.length / 2);
      const { what, heal } = parted(cluster, choice.cutKind(), [nodes.slice(0, half), nodes.slice(half)]);
      return Promise.resolve({ what: `${what}, ${bridge!.id} reaches both`, heal });
    },
  },
  { kind: "one way", needs: "links", inject: oneWay },
  { kind: "slow links", needs: "links", inject: slowLinks },
  {
    kind: "disk full",
    needs: "disks",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await node.fillDisk();
      return { what: `the disk of ${node.id} full`, heal: () => node.freeDisk() };
    },
  },
  {
    kind: "hanging disk",
    needs: "disks",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await node.hangDisk();
      return { what: `the disk of ${node.id} hangs`, heal: () => node.resumeDisk() };
    },
  },
  { kind: "slow disk", needs: "disks", inject: slowDisk },
  {
    kind: "power failure",
    needs: "disks",
    inject: async (cluster, choice) => await withoutPower(cluster, [await choice.node(cluster)]),
  },
  {
    kind: "power failure of all",
    needs: "disks",
    inject: async (cluster) => await withoutPower(cluster, cluster.nodes),
  },
  {
    kind: "transfer leadership",
    async inject(cluster) {
      return { what: `leadership handed to ${await cluster.transferLeadership()}` };
    },
  },
  {
    kind: "replace a member",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await cluster.replace(node);
      return { what: `${node.id} taken out, and added with an empty folder` };
    },
  },
  {
    kind: "demote a voter",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await cluster.demote(node);
      return { what: `${node.id} demoted` };
    },
  },
  {
    kind: "demote several at once",
    async inject(cluster, choice) {
      const nodes = choice.shuffled(cluster.nodes).slice(0, Math.ceil(cluster.nodes.length / 2));
      await cluster.demoteAtOnce(nodes);
      return { what: `${names(nodes)} demoted at once` };
    },
  },
  {
    kind: "move to another address",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await cluster.move(node);
      return { what: `${node.id} restarted at ${new URL(node.advertised).host}` };
    },
  },
  {
    kind: "change the runtime",
    needs: "runtimes",
    async inject(cluster, choice) {
      const node = await choice.node(cluster);
      await node.kill();
      node.changeRuntime();
      node.start();
      return { what: `${node.id} restarted in another runtime` };
    },
  },
];

async function killed(cluster: ChaosCluster, nodes: readonly ChaosNode[]): Promise<Injected> {
  await Promise.all(nodes.map((node) => node.kill()));
  return {
    what: nodes.length === cluster.nodes.length ? "all killed" : `${names(nodes)} killed`,
    heal: () => nodes.forEach((node) => node.start()),
  };
}

/** Cuts the power of nodes at the same time; they start again when the fault ends. */
async function withoutPower(cluster: ChaosCluster, nodes: readonly ChaosNode[]): Promise<Injected> {
  await Promise.all(nodes.map((node) => node.failPower()));
  return {
    what: nodes.length === cluster.nodes.length ? "all without power" : `${names(nodes)} without power`,
    heal: () => nodes.forEach((node) => node.start()),
  };
}

/** Lets a disk hang again and again, for moments. */
async function slowDisk(cluster: ChaosCluster, choice: Choice): Promise<Injected> {
  const node = await choice.node(cluster);
  const ms = Math.round(choice.between(20, 300));
  let slow = true;
  const slowing = (async () => {
    while (slow) {
      await node.hangDisk();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await node.resumeDisk();
      await new Promise((resolve) => setTimeout(resolve, SLOW_DISK_WORKS_MS));
    }
  })();
  return {
    what: `the disk of ${node.id} slow, ${ms} ms`,
    async heal() {
      slow = false;
      await slowing;
    },
  };
}

function paused(nodes: readonly ChaosNode[]): Injected {
  for (const node of nodes) node.pause();
  return { what: `${names(nodes)} paused`, heal: () => nodes.forEach((node) => node.resume()) };
}

/** Cuts all links between two sides. */
function parted(
  { links }: ChaosCluster,
  kind: CutKind,
  [left, right]: readonly [readonly ChaosNode[], readonly ChaosNode[]],
): Required<Injected> {
  for (const one of left) {
    for (const other of right) {
      links.cut(one.id, other.id, kind);
      links.cut(other.id, one.id, kind);
    }
  }
  return { what: `${names(left)} | ${names(right)}, ${kind}`, heal: () => links.heal() };
}

/** Isolates a node in one direction: it receives but can't send, or the reverse. */
async function oneWay(cluster: ChaosCluster, choice: Choice): Promise<Injected> {
  const one = await choice.node(cluster);
  const hears = choice.chance(0.5);
  for (const other of cluster.nodes) {
    if (other === one) continue;
    // A broken connection is broken both ways, so only a silent one has a direction.
    if (hears) cluster.links.cut(one.id, other.id, "silent");
    else cluster.links.cut(other.id, one.id, "silent");
  }
  return {
    what: hears ? `no node receives from ${one.id}` : `${one.id} receives from no node`,
    heal: () => cluster.links.heal(),
  };
}

async function slowLinks(cluster: ChaosCluster, choice: Choice): Promise<Injected> {
  const one = await choice.node(cluster);
  const ms = Math.round(choice.between(20, 400));
  for (const other of cluster.nodes) {
    cluster.links.delay(one.id, other.id, ms);
    cluster.links.delay(other.id, one.id, ms);
  }
  return { what: `${ms} ms each way between ${one.id} and the others`, heal: () => cluster.links.heal() };
}

function names(nodes: readonly ChaosNode[]): string {
  return nodes.map(({ id }) => id).sort().join(" ");
}
