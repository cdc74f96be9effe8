/**
 * The nodes that this page runs: their workers, their disks, and reports in place
 * of those that have no worker to report for them.
 */

import type { LifeState } from "../../browser/mod.ts";
import { secureRandom } from "../../lib/host.ts";
import { randomId } from "../../lib/random_id.ts";
import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import { deleteIndexedDb } from "../../storage/indexeddb/mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";
import type { NodeLife } from "../source.ts";
import { readRecord, updateRecord } from "./cluster_record.ts";
import type { ClusterRecord } from "./cluster_record.ts";
import { blankView, inactive } from "./cluster_view.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Connections } from "./connections.ts";
import { machineMs } from "./host_message.ts";
import type { HostMessage, NodeReport } from "./host_message.ts";
import { NodeWorker } from "./node_worker.ts";

export interface PageNodesOptions {
  readonly page: string;
  readonly record: ClusterRecord;
  readonly cluster: ClusterView;
  /** The worker's script. */
  readonly script: URL;
  /** Sends to all other tabs and workers. */
  send(message: HostMessage): void;
  readonly connections: Connections;
  /** The servers to join through; none in a cluster of tabs. */
  readonly servers: readonly string[];
  /** Removes a node from the cluster. */
  removeMember(id: NodeId): Promise<void>;
  /** Called when the page runs other nodes than before. */
  changed(ids: readonly NodeId[]): void;
}

/** A page that was just closed, or a worker that was just killed, keeps the storage locked for a moment. */
const LOCK_WAIT_MS = 5000;
/** A page that has reported the node for this long did not just close. */
const ELSEWHERE_MS = 800;
const REFUSED_HINT = "wipe its disk and start it again to let it join as a new node";
const WIPED = "its disk was wiped: started again, it joins the cluster as a new node";
const RETIRED = "it has left the cluster, and its disk was deleted";

/** Starts, kills and wipes nodes. */
export class PageNodes {
  readonly #options: PageNodesOptions;
  readonly #nodes = new Map<NodeId, NodeWorker>();
  /** The last reports in place of nodes that don't report themselves. */
  readonly #standIns = new Map<NodeId, NodeReport>();

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
   * Starts a node on its disk. If that is empty, the node founds the cluster
   * together with the other founders, or joins it.
   *
   * @throws {RaftError} `locked` if another tab runs it, or another reason why it can't start
   */
  async start(id: NodeId): Promise<void> {
    const { script, record, changed } = this.#options;
    const node = this.#nodes.get(id) ?? new NodeWorker(id, script, (state) => this.#onLife(node, state));
    const isNew = !this.#nodes.has(id);
    this.#nodes.set(id, node);
    this.#report(id, "starting", "");
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

  /** Resolves once a node that was started takes part in the cluster. @throws {RaftError} if it never will */
  async takesPart(id: NodeId): Promise<void> {
    await this.#own(id).takesPart();
    await updateRecord(this.#options.record.name, ({ wiped }) => ({ wiped: wiped.filter((other) => other !== id) }));
  }

  /** Ends the worker at once. */
  // deno-lint-ignore require-await -- an error is a rejection
  async kill(id: NodeId): Promise<void> {
    this.#end(this.#own(id), "killed", "its disk is kept: started again, it continues from there");
  }

  /** Kills a node and deletes its disk. It can no longer be the member that it was. */
  async wipe(id: NodeId, reason = WIPED): Promise<void> {
    const node = this.#own(id);
    this.#end(node, "killed", reason);
    await this.#deleteDisk(id);
    this.#report(id, "killed", reason, undefined, true);
  }

  /** Deletes all data of a node that has left the cluster. */
  async retire(id: NodeId): Promise<void> {
    await this.wipe(id, RETIRED);
    this.#nodes.delete(id);
    this.#standIns.delete(id);
    this.#options.changed(this.ids);
    this.#gone(id);
  }

  /** Does the same for a node that no page runs: every page of this origin can reach its disk. */
  async discard(id: NodeId): Promise<void> {
    await this.#deleteDisk(id);
    this.#gone(id);
  }

  /** Records the wipe first, so that the node can only join from then on, even if this page closes in between. */
  async #deleteDisk(id: NodeId): Promise<void> {
    const { name, clusterId } = this.#options.record;
    await updateRecord(name, ({ wiped }) => ({ wiped: [...new Set([...wiped, id])] }));
    await deleteIndexedDb({ clusterId, nodeId: id, lockWaitMs: LOCK_WAIT_MS });
  }

  /**
   * Removes the member that a wiped node was: no node may return under the name of
   * a member with other data. Data of an unfinished wipe or join may be left. If a
   * tab runs the node, that keeps its data locked, and it stays a member.
   */
  async #clear(node: NodeWorker): Promise<void> {
    node.kill();
    await this.#deleteDisk(node.id);
    await this.#options.removeMember(node.id);
  }

  #gone(id: NodeId): void {
    this.#options.send({ type: "gone", id });
    this.#options.cluster.apply({ type: "gone", id });
  }

  async pause(id: NodeId): Promise<void> {
    await this.#own(id).pause(true);
  }

  async resume(id: NodeId): Promise<void> {
    await this.#own(id).pause(false);
  }

  /** Repeats the reports for nodes that don't report themselves, for tabs that were opened since. */
  repeat(): void {
    for (const [id, { run, view }] of this.#standIns) this.#report(id, view.life, view.lifeReason, run);
  }

  #own(id: NodeId): NodeWorker {
    const node = this.#nodes.get(id);
    if (node !== undefined) return node;
    throw new RaftError("refused", `${id} does not run on this page`, { hint: "Go to the tab that runs it." });
  }

  #end(node: NodeWorker, life: NodeLife, reason: string): void {
    const { run } = node;
    node.kill();
    this.#options.connections.closePort(node.id);
    if (run !== null) this.#options.cluster.runEnded(run);
    this.#report(node.id, life, reason, run ?? undefined);
  }

  /** Reports in place of a node that does not take part yet, or has stopped. */
  #onLife(node: NodeWorker, { life, reason, error }: LifeState): void {
    if (life === "running") {
      this.#standIns.delete(node.id);
      this.takesPart(node.id).catch(() => {});
    } else if (life === "starting" || life === "waiting") this.#report(node.id, "starting", reason, node.run!);
    else if (life === "stopped") {
      const hint = error?.code === "refused" ? `; ${REFUSED_HINT}` : "";
      this.#report(node.id, "stopped", `${reason}${hint}`, node.run!);
    }
  }

  async #startUnlocked(node: NodeWorker, founds: boolean): Promise<void> {
    const { page, record, cluster, servers, connections } = this.#options;
    const { name, clusterId, electionTimeoutMs, heartbeatIntervalMs, founders } = record;
    // Tabs come and go: a tab gets a vote among tabs, but not among servers.
    const as = servers.length === 0 ? "voter" : "learner";
    const started = node.start({
      page,
      run: randomId(secureRandom),
      id: node.id,
      cluster: name,
      clusterId,
      lockWaitMs: LOCK_WAIT_MS,
      electionTimeoutMs,
      heartbeatIntervalMs,
      begin: founds ? { type: "found", founders } : { type: "join", as, through: servers },
      port: connections.port(node.id),
      links: cluster.links.filter(({ from, to }) => from === node.id || to === node.id),
    });
    const elsewhere = cluster.until(() => this.#runsElsewhere(node.id) ? true : null, LOCK_WAIT_MS);
    if (await Promise.race([started.then(() => false), elsewhere]) !== true) return await started;
    started.catch(() => {});
    node.kill();
    throw new RaftError("locked", `${node.id} runs in another tab`, { hint: "Go to that tab, or close it." });
  }

  #runsElsewhere(id: NodeId): boolean {
    const known = this.#options.cluster.node(id);
    if (known === undefined || known.page === this.#options.page || known.view.life === "away") return false;
    return known.lastMs - known.firstMs > ELSEWHERE_MS;
  }

  /** Drops a node that another tab runs; for any other, shows why it did not start. */
  #notStarted(id: NodeId, error: unknown): void {
    // A later start has ended this one.
    if (this.#nodes.get(id)?.run !== null) return;
    this.#options.connections.closePort(id);
    const locked = error instanceof RaftError && error.code === "locked";
    const reason = error instanceof Error ? error.message : String(error);
    if (!locked) this.#report(id, "stopped", reason);
    else {
      this.#nodes.delete(id);
      this.#standIns.delete(id);
      this.#options.changed(this.ids);
    }
  }

  /** Reports in place of a node: as it was last seen, unless its disk is blank now. */
  #report(id: NodeId, life: NodeLife, lifeReason: string, run: string = randomId(secureRandom), blank = false): void {
    const { page, cluster, send } = this.#options;
    const known = blank ? undefined : cluster.node(id);
    const { home: _, ...last } = known?.view ?? blankView(id, tabAddress(id));
    const report = { page, run, view: { ...last, ...inactive(life, lifeReason), seenMs: machineMs() } };
    const before = this.#standIns.get(id)?.view;
    this.#standIns.set(id, report);
    const isNew = before?.life !== life || before.lifeReason !== lifeReason;
    const what = { type: "life", life, reason: lifeReason } as const;
    const events = isNew ? [{ node: id, atMs: machineMs(), what }] : [];
    const message: HostMessage = { type: "report", report, links: null, messages: [], events };
    send(message);
    cluster.apply(message);
  }
}
