/**
 * A cluster of server processes that reach each other through proxies, each with its
 * data on a disk of its own.
 *
 * @module
 */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RaftError } from "../../lib/errors.ts";
import type { Member } from "../../lib/raft/types.ts";
import { ConnectRemote } from "../../server/cli/connect_remote.ts";
import type { RemoteCallOptions } from "../../server/cli/connect_remote.ts";
import { createConnectClientTransport } from "../../transport/connect/mod.ts";
import type { Status } from "../support/server_processes.ts";
import { eventually, freePort } from "../support/server_processes.ts";
import { ChaosNode } from "./chaos_node.ts";
import type { Disk } from "./disks.ts";
import { makeDisk } from "./disks.ts";
import { Links } from "./links.ts";
import { canTellProcesses, hasIPv6, processOf } from "./sockets.ts";

/** Options of {@linkcode ChaosCluster.make}. */
export interface ChaosClusterOptions {
  /** The number of nodes. */
  readonly count: number;
  /** Commands that run a server in each of the runtimes; the nodes begin in one after the other. */
  readonly commands: readonly (readonly string[])[];
}

/** The time limit for a cluster to become complete again once there is no fault. */
const REPAIR_TIMEOUT_MS = 120_000;

/** A condition of some kinds of faults, which a machine may not meet. */
export type Need = "links" | "disks" | "runtimes";

/** A cluster under chaos. */
export class ChaosCluster {
  readonly nodes: readonly ChaosNode[];
  readonly links: Links;
  /** The folder with all files of the run. */
  readonly folder: string;
  /** Kinds of faults that this machine doesn't permit, with the reason. */
  readonly impossible: ReadonlyMap<Need, string>;
  /** Events without an explanation. */
  readonly unexplained: string[] = [];
  /** The number of times that a node stopped itself because its disk was full. */
  diskStops = 0;
  readonly #disks: readonly Disk[];
  readonly #remote: ConnectRemote;
  #adding: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  private constructor(
    folder: string,
    places: readonly Place[],
    commands: ChaosClusterOptions["commands"],
    disks: readonly Disk[],
    noDisks: string | null,
  ) {
    this.folder = folder;
    this.#disks = disks;
    const peers = places.map(({ id, advertised }) => `${id}=${new URL(advertised).host}`).join(",");
    this.nodes = places.map(({ id, address, advertised }, at) =>
      new ChaosNode({
        id,
        address,
        advertised,
        data: join(folder, id, "data"),
        commands: [...commands.slice(at % commands.length), ...commands.slice(0, at % commands.length)],
        disk: disks[at] ?? null,
        peers,
        unexplained: (what) => void this.unexplained.push(what),
        stoppedByDisk: () => void this.diskStops++,
      })
    );
    this.links = new Links((port, toPort) => this.#nodeOf(port, toPort));
    for (const { id, address, advertised } of places) this.links.listen({ to: id, address, advertised });
    const impossible = new Map<Need, string>();
    if (!canTellProcesses()) impossible.set("links", "there is no /proc that tells whose a connection is");
    if (noDisks !== null) impossible.set("disks", noDisks);
    if (commands.length === 1) impossible.set("runtimes", "all nodes run in the same one");
    this.impossible = impossible;
    this.#remote = new ConnectRemote({ endpoints: this.endpoints, client: createConnectClientTransport() });
  }

  /** Creates disks and proxies; no node runs yet. */
  static async make({ count, commands }: ChaosClusterOptions): Promise<ChaosCluster> {
    const folder = mkdtempSync(join(tmpdir(), "raft-chaos-"));
    const hosts = hasIPv6() ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"];
    const places: Place[] = [];
    for (let n = 1; n <= count; n++) {
      const host = hosts[n % hosts.length]!;
      const [address, advertised] = [`http://${host}:${await freePort()}`, `http://${host}:${await freePort()}`];
      places.push({ id: `n${n}`, address, advertised });
      mkdirSync(join(folder, `n${n}`));
    }
    const disks: Disk[] = [];
    let noDisks: string | null = null;
    try {
      for (const { id } of places) disks.push(makeDisk(join(folder, id)));
    } catch (error) {
      noDisks = error instanceof Error ? error.message : String(error);
      for (const disk of disks.splice(0)) disk.close();
    }
    return new ChaosCluster(folder, places, commands, disks, noDisks);
  }

  /** Starts all nodes, and returns once one leads. */
  async begin(): Promise<void> {
    for (const node of this.nodes) node.start();
    await eventually("a first leader", () => this.leader(), 60_000);
  }

  /** The endpoints of clients. */
  get endpoints(): readonly string[] {
    return this.nodes.map(({ address }) => address);
  }

  /** Returns the endpoint of the member that advertises an address: not behind the proxy, so that clients reach both sides of a cut. */
  endpointOf(advertised: string): string | null {
    return this.nodes.find((node) => new URL(node.advertised).host === hostOf(advertised))?.address ?? null;
  }

  /** Returns the leader of the newest term among the nodes that claim to lead. */
  async leader(): Promise<ChaosNode | null> {
    return newestLeader(await this.#statuses())?.node ?? null;
  }

  /** Transfers leadership. @throws the cluster's error */
  async transferLeadership(): Promise<string> {
    return await (await this.#remote.admin(call(5000))).transferLeadership(undefined, call(5000));
  }

  /** Makes a voter a learner, until it is repaired. @throws the cluster's error */
  async demote(node: ChaosNode): Promise<void> {
    await (await this.#remote.admin(call(5000))).demote(node.id, call(5000));
  }

  /** Makes several voters learners at once, through a joint configuration. @throws the cluster's error */
  async demoteAtOnce(nodes: readonly ChaosNode[]): Promise<void> {
    const admin = await this.#remote.admin(call(5000));
    const { voters, members } = (await admin.members(call(5000))).membership;
    const stays = ({ id }: Member) => voters.includes(id) && !nodes.some((node) => node.id === id);
    const learners = members.filter((member) => !stays(member));
    await admin.change({ voters: members.filter(stays), learners }, call(5000));
  }

  /** Restarts a node at another address, which the repair tells the cluster. */
  async move(node: ChaosNode): Promise<void> {
    if (node.empty) throw new Error(`${node.id} is only just coming in`);
    await node.kill();
    const { hostname } = new URL(node.address);
    node.moveTo(`http://${hostname}:${await freePort()}`);
    this.links.listen({ to: node.id, address: node.address, advertised: node.advertised });
    node.start();
    // It may fail now, as above.
    this.#adding = this.#adding.then(() => this.#add(node, 10_000)).catch(() => {});
  }

  /** Removes a node, ends it, and adds it again later with an empty folder. @throws the cluster's error */
  async replace(node: ChaosNode): Promise<void> {
    if (node.empty) throw new Error(`${node.id} is only just coming in`);
    await this.#adding;
    await this.#remove(node);
    await this.#startEmpty(node);
    // It may fail now: in the end the cluster is repaired.
    this.#adding = this.#add(node, 10_000).catch(() => {});
  }

  async #startEmpty(node: ChaosNode): Promise<void> {
    await node.kill();
    node.wipe();
    node.start();
  }

  async #add(node: ChaosNode, timeoutMs: number): Promise<void> {
    await eventually(`${node.id} listening`, () => node.status(), timeoutMs);
    const admin = await this.#remote.admin(call(timeoutMs));
    await admin.add({ id: node.id, address: node.advertised, learner: false }, call(timeoutMs));
  }

  async #remove(node: ChaosNode): Promise<void> {
    await (await this.#remote.admin(call(10_000))).remove(node.id, call(10_000));
  }

  /** Ends all faults. */
  async healAll(): Promise<void> {
    this.links.heal();
    for (const node of this.nodes) {
      await node.resumeDisk();
      node.resume();
      node.freeDisk();
    }
  }

  /** Waits until all nodes run, answer, and are voters. There must be no fault. */
  async repair(): Promise<void> {
    await this.#adding;
    await eventually("all nodes running as voters", async () => {
      for (const node of this.nodes) node.start();
      const statuses = await this.#statuses();
      return statuses.length === this.nodes.length && await this.#complete(statuses);
    }, REPAIR_TIMEOUT_MS);
  }

  /** Reports whether all are voters; if not, takes the next step towards it. */
  async #complete(statuses: readonly Answer[]): Promise<boolean> {
    const leader = newestLeader(statuses)?.status;
    // A folder is deleted because of this answer, so it must be from the true leader, and committed.
    if (leader === undefined || !leader.membershipCommitted || !isFollowed(leader, statuses)) return false;
    const member = (node: ChaosNode) => leader.members.find(({ id }) => id === node.id);
    const suffrage = (node: ChaosNode) => member(node)?.suffrage;
    for (const node of this.nodes) if (suffrage(node) !== undefined) node.joined();
    const isRight = (node: ChaosNode) =>
      suffrage(node) === "voter" && hostOf(member(node)!.address) === hostOf(node.advertised);
    const missing = this.nodes.find((node) => !isRight(node));
    if (missing === undefined) return true;
    if (suffrage(missing) === undefined && !missing.empty) await this.#startEmpty(missing);
    const refused = await this.#add(missing, 20_000).then(() => false, isRefusal);
    // The cluster may know it by an earlier folder.
    if (refused) await this.#remove(missing).catch(() => {});
    return false;
  }

  /** Returns the statuses of running nodes. */
  async #statuses(): Promise<Answer[]> {
    const asked = await Promise.all(
      this.nodes.map(async (node) => ({ node, status: node.up && !node.paused ? await node.status() : null })),
    );
    return asked.flatMap(({ node, status }) => status?.lifecycle === "running" ? [{ node, status }] : []);
  }

  /** Waits until all have applied the leader's log; there must be no load. */
  async settled(): Promise<void> {
    await eventually("all nodes having applied the same", async () => {
      const statuses = (await this.#statuses()).map(({ status }) => status);
      const applied = new Set(statuses.map(({ appliedIndex }) => appliedIndex));
      return statuses.length === this.nodes.length && applied.size === 1 &&
        statuses.every(({ appliedIndex, commitIndex }) => appliedIndex === commitIndex);
    }, REPAIR_TIMEOUT_MS);
  }

  /** Moves logs and data to a folder that {@linkcode ChaosCluster.close} keeps; returns that folder. */
  async keep(): Promise<string> {
    const kept = `${this.folder}-kept`;
    await this.#endAll();
    for (const { id, output } of this.nodes) {
      cpSync(join(this.folder, id), join(kept, id), { recursive: true, filter: (path) => !path.endsWith(".sock") });
      writeFileSync(join(kept, `${id}.log`), output);
    }
    return kept;
  }

  /** Ends all processes, and removes everything. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#endAll();
    this.links.close();
    await this.#remote.close();
    for (const disk of this.#disks) disk.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #endAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  #nodeOf(port: number, toPort: number): string | null {
    const pids = this.nodes.flatMap(({ pid }) => pid ?? []);
    const pid = this.impossible.has("links") ? undefined : processOf(pids, port, toPort);
    return this.nodes.find((node) => node.pid !== undefined && node.pid === pid)?.id ?? null;
  }
}

/** A node's answer. */
interface Answer {
  readonly node: ChaosNode;
  readonly status: Status;
}

function newestLeader(answers: readonly Answer[]): Answer | undefined {
  return answers.filter(({ status }) => status.role === "leader").sort((a, b) => b.status.term - a.status.term)[0];
}

/** Reports whether most voters follow this leader now. A removed node has no followers. */
function isFollowed(leader: Status, answers: readonly Answer[]): boolean {
  const voters = leader.members.filter(({ suffrage }) => suffrage === "voter");
  const following = answers.filter(({ status }) =>
    status.term === leader.term && status.leader?.id === leader.id && voters.some(({ id }) => id === status.id)
  );
  return following.length * 2 > voters.length;
}

function isRefusal(error: unknown): boolean {
  return error instanceof RaftError && error.code === "refused";
}

function call(timeoutMs: number): RemoteCallOptions {
  return { signal: AbortSignal.timeout(timeoutMs + 1000), timeoutMs };
}

/** The addresses and folders of one node. */
interface Place {
  readonly id: string;
  readonly address: string;
  readonly advertised: string;
}

function hostOf(address: string): string {
  return address.includes("://") ? new URL(address).host : address;
}
