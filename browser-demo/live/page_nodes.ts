/**
 * The nodes that this page runs: their workers, their disks, and what is told of
 * those that have no worker to tell of themselves.
 *
 * @module
 */

import type { LifeState } from "../../browser/mod.ts";
import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import { deleteIndexedDb } from "../../storage/indexeddb/mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";
import type { Life } from "../source.ts";
import { randomHex, readRecord, updateRecord } from "./cluster_record.ts";
import type { ClusterRecord } from "./cluster_record.ts";
import { HostedNode } from "./hosted_node.ts";
import { machineMs } from "./observation.ts";
import type { NodeReport, Observation } from "./observation.ts";
import { blankView } from "./picture.ts";
import type { Picture } from "./picture.ts";
import type { Ways } from "./ways.ts";

/** What {@linkcode PageNodes} needs. */
export interface PageNodesOptions {
  readonly page: string;
  readonly record: ClusterRecord;
  readonly picture: Picture;
  /** The worker's script. */
  readonly script: URL;
  /** Tells all other tabs and workers. */
  say(observation: Observation): void;
  /** How its nodes reach the others. */
  readonly ways: Ways;
  /** The servers to join through; none in a cluster of tabs. */
  readonly servers: readonly string[];
  /** Takes a node out of the cluster. */
  removeMember(id: NodeId): Promise<void>;
  /** The nodes of this page are others now. */
  changed(ids: readonly NodeId[]): void;
}

/** A page that was just left, or a worker that was just killed, holds the storage for a moment yet. */
const LOCK_WAIT_MS = 5000;
/** Who has told of a node for so long is no page that was just left. */
const ELSEWHERE_MS = 800;
const REFUSED_ADVICE = "Wipe its disk and start it again: then it joins as a new node.";
const WIPED = "its disk was wiped: started again, it joins the cluster as a new node";
const RETIRED = "it has left the cluster, and its disk was deleted";

/** Starts, kills and wipes nodes. */
export class PageNodes {
  readonly #options: PageNodesOptions;
  readonly #nodes = new Map<NodeId, HostedNode>();
  /** The last word on nodes that can't speak for themselves. */
  readonly #silent = new Map<NodeId, NodeReport>();

  constructor(options: PageNodesOptions) {
    this.#options = options;
  }

  get ids(): readonly NodeId[] {
    return [...this.#nodes.keys()];
  }

  has(id: NodeId): boolean {
    return this.#nodes.has(id);
  }

  /**
   * Starts a node on what its disk has, which may be nothing: then it begins the
   * cluster with the other founders, or joins it.
   *
   * @throws {RaftError} `locked` if another tab runs it: then it is not this page's; or why it can't start
   */
  async start(id: NodeId): Promise<void> {
    const { script, record, changed } = this.#options;
    const node = this.#nodes.get(id) ?? new HostedNode(id, script, (state) => this.#lives(node, state));
    const isNew = !this.#nodes.has(id);
    this.#nodes.set(id, node);
    this.#tell(id, "starting", "");
    try {
      const { wiped } = await readRecord(record.name);
      if (wiped.includes(id)) await this.#clear(node);
      await this.#startUnlocked(node, record.founders.includes(id) && !wiped.includes(id));
      if (isNew) changed(this.ids);
    } catch (error) {
      this.#notStarted(id, error);
      throw error;
    }
  }

  /** Resolves once a node that was started takes part in the cluster. @throws {RaftError} why it never will */
  async takesPart(id: NodeId): Promise<void> {
    await this.#own(id).takesPart();
    await updateRecord(this.#options.record.name, ({ wiped }) => ({ wiped: wiped.filter((other) => other !== id) }));
  }

  /** Ends the worker at once. */
  kill(id: NodeId): void {
    this.#end(this.#own(id), "killed", "what was on its disk stays there: started again, it goes on with that");
  }

  /** Kills it, and deletes its disk. From here on it can't be the member that it was. */
  async wipe(id: NodeId, reason = WIPED): Promise<void> {
    const node = this.#own(id);
    this.#end(node, "killed", reason);
    await this.#deleteDisk(id);
    this.#tell(id, "killed", reason, undefined, true);
  }

  /** It has left the cluster: nothing of it is kept. */
  async retire(id: NodeId): Promise<void> {
    await this.wipe(id, RETIRED);
    this.#nodes.delete(id);
    this.#silent.delete(id);
    this.#options.changed(this.ids);
    this.#gone(id);
  }

  /** The same for a node that no page runs: every page of this origin has its disk. */
  async discard(id: NodeId): Promise<void> {
    await this.#deleteDisk(id);
    this.#gone(id);
  }

  /** What is noted first is true whatever happens next: the node can only join from here on. */
  async #deleteDisk(id: NodeId): Promise<void> {
    const { name, clusterId } = this.#options.record;
    await updateRecord(name, ({ wiped }) => ({ wiped: [...new Set([...wiped, id])] }));
    await deleteIndexedDb({ clusterId, nodeId: id, lockWaitMs: LOCK_WAIT_MS });
  }

  /**
   * Nobody may come back under the name of a member with other data. There may be
   * data yet, of a wipe or of a join that its page did not live to see the end of;
   * or of a tab that runs it, which keeps both its data and its place.
   */
  async #clear(node: HostedNode): Promise<void> {
    node.kill();
    await this.#deleteDisk(node.id);
    await this.#options.removeMember(node.id);
  }

  #gone(id: NodeId): void {
    this.#options.say({ type: "gone", id });
    this.#options.picture.observe({ type: "gone", id });
  }

  /** Lets a node stand still, or go on. */
  async pause(id: NodeId, paused: boolean): Promise<void> {
    await this.#own(id).pause(paused);
  }

  /** Tells again of those that can't: tabs come that have not heard it. */
  repeat(): void {
    for (const [id, { run, view }] of this.#silent) this.#tell(id, view.life, view.lifeReason, run);
  }

  #own(id: NodeId): HostedNode {
    const node = this.#nodes.get(id);
    if (node !== undefined) return node;
    throw new RaftError("refused", `${id} does not run on this page`, { hint: "Go to the tab that runs it." });
  }

  #end(node: HostedNode, life: Life, reason: string): void {
    const { run } = node;
    node.kill();
    this.#options.ways.ended(node.id);
    if (run !== null) this.#options.picture.runEnded(run);
    this.#tell(node.id, life, reason, run ?? undefined);
  }

  /** Until the node takes part, it can't speak for itself; and no more once it has stopped. */
  #lives(node: HostedNode, { life, reason, error }: LifeState): void {
    if (life === "running") {
      this.#silent.delete(node.id);
      this.takesPart(node.id).catch(() => {});
    } else if (life === "starting" || life === "waiting") this.#tell(node.id, "starting", reason, node.run!);
    else if (life === "stopped") {
      const advice = error?.code === "refused" ? ` ${REFUSED_ADVICE}` : "";
      this.#tell(node.id, "stopped", `${reason}${advice}`, node.run!);
    }
  }

  async #startUnlocked(node: HostedNode, founds: boolean): Promise<void> {
    const { page, record, picture, servers, ways } = this.#options;
    const { name, clusterId, electionTimeoutMs, heartbeatIntervalMs, founders } = record;
    // A tab comes and goes: it gets a vote among tabs, and none among servers.
    const as = servers.length === 0 ? "voter" : "learner";
    const started = node.start({
      page,
      run: randomHex(4),
      id: node.id,
      cluster: name,
      clusterId,
      lockWaitMs: LOCK_WAIT_MS,
      electionTimeoutMs,
      heartbeatIntervalMs,
      begin: founds ? { type: "found", founders } : { type: "join", as, through: servers },
      port: ways.port(node.id),
      links: picture.links.filter(({ from, to }) => from === node.id || to === node.id),
    });
    const elsewhere = picture.until(() => this.#runsElsewhere(node.id) ? true : null, LOCK_WAIT_MS);
    if (await Promise.race([started.then(() => false), elsewhere]) !== true) return await started;
    started.catch(() => {});
    node.kill();
    throw new RaftError("locked", `${node.id} runs in another tab`, { hint: "Go to that tab, or close it." });
  }

  #runsElsewhere(id: NodeId): boolean {
    const known = this.#options.picture.node(id);
    if (known === undefined || known.page === this.#options.page || known.view.life === "away") return false;
    return known.heardMs - known.sinceMs > ELSEWHERE_MS;
  }

  /** Another tab's node is not this page's; any other shows why it does not run. */
  #notStarted(id: NodeId, error: unknown): void {
    // It was started again meanwhile, which ended this start.
    if (this.#nodes.get(id)?.run !== null) return;
    this.#options.ways.ended(id);
    const locked = error instanceof RaftError && error.code === "locked";
    const reason = error instanceof Error ? error.message : String(error);
    if (!locked) this.#tell(id, "stopped", reason);
    else {
      this.#nodes.delete(id);
      this.#silent.delete(id);
      this.#options.changed(this.ids);
    }
  }

  /** Tells of a node in its stead: as it was when it was last seen, unless it is blank now. */
  #tell(id: NodeId, life: Life, lifeReason: string, run: string = randomHex(4), blank = false): void {
    const { page, picture, say } = this.#options;
    const known = blank ? undefined : picture.node(id);
    const { home: _, ...last } = known?.view ?? blankView(id, tabAddress(id));
    const report: NodeReport = {
      page,
      run,
      view: {
        ...last,
        life,
        lifeReason,
        role: "follower",
        leader: null,
        votes: [],
        electionTimer: null,
        progress: [],
        seenMs: machineMs(),
      },
    };
    const before = this.#silent.get(id)?.view;
    this.#silent.set(id, report);
    const isNew = before?.life !== life || before.lifeReason !== lifeReason;
    const what = { type: "life", life, reason: lifeReason } as const;
    const happened = isNew ? [{ node: id, atMs: machineMs(), what }] : [];
    const observation: Observation = { type: "report", report, links: null, messages: [], happened };
    say(observation);
    picture.observe(observation);
  }
}
