/**
 * Metrics for Prometheus.
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RaftNode } from "../lib/node/mod.ts";
import type { NodeMetric, NodeStatus } from "../lib/node/types.ts";
import type { RelayCounts } from "../transport/relay/mod.ts";
import { VERSION } from "./version.ts";

/** The part of a node that metrics are made from. */
export type ObservedNode = Pick<RaftNode, "status" | "addEventListener">;

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts and times the events of a node; gauges are read at each collection. */
export class Metrics {
  readonly #registry: Registry = new Registry();
  readonly #proposals: Counter<"result">;
  readonly #proposalSeconds: Histogram;
  readonly #persistSeconds: Histogram;
  readonly #persistBytes: Counter;
  readonly #applySeconds: Histogram;
  readonly #leaderChanges: Counter;
  readonly #snapshots: Counter<"reason">;
  readonly #storageErrors: Counter;

  /**
   * Creates all metrics.
   *
   * @param status Called at each collection.
   */
  constructor(status: () => NodeStatus) {
    const registers = [this.#registry];
    this.#proposals = new Counter({
      name: "raft_proposals_total",
      help: "Proposals made on this node, by result.",
      labelNames: ["result"],
      registers,
    });
    this.#proposals.inc({ result: "committed" }, 0);
    this.#proposals.inc({ result: "failed" }, 0);
    this.#proposalSeconds = this.#histogram("raft_proposal_duration_seconds", "From a proposal to its answer.");
    this.#persistSeconds = this.#histogram("raft_persist_duration_seconds", "One durable write to the log.");
    this.#applySeconds = this.#histogram("raft_apply_duration_seconds", "One batch handed to the state machine.");
    this.#persistBytes = this.#counter("raft_persist_bytes_total", "Bytes of entries written to the log.");
    this.#leaderChanges = this.#counter("raft_leader_changes_total", "Changes of the leader, as seen by this node.");
    this.#storageErrors = this.#counter("raft_storage_errors_total", "Failures of the storage.");
    this.#snapshots = new Counter({
      name: "raft_snapshots_total",
      help: "Snapshots taken here or installed by a leader.",
      labelNames: ["reason"],
      registers,
    });
    new Gauge({ name: "raft_build_info", help: "The version, as a label.", labelNames: ["version"], registers })
      .set({ version: VERSION }, 1);
    this.#gauges(status);
    this.#peerGauges(status);
  }

  /** The media type of {@linkcode Metrics.text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Returns all current values in the format of Prometheus. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** Begins to count a node's events. */
  observe(node: ObservedNode): void {
    let leader: string | null = null;
    node.addEventListener("metric", ({ detail }) => this.#record(detail));
    node.addEventListener("snapshot", ({ detail }) => this.#snapshots.inc({ reason: detail.reason }));
    node.addEventListener("storageError", () => this.#storageErrors.inc());
    node.addEventListener("state", ({ detail }) => {
      if (detail.leader !== null && detail.leader !== leader) this.#leaderChanges.inc();
      leader = detail.leader;
    });
  }

  /** Adds the metrics of the relay to browser tabs. */
  observeRelay(counts: () => RelayCounts): void {
    const registers = [this.#registry];
    new Gauge({
      name: "raft_relay_pages",
      help: "Browser pages attached to this server.",
      registers,
      collect() {
        this.set(counts().pages);
      },
    });
    new Counter({
      name: "raft_relay_packets_total",
      help: "Messages from and to browser pages, by result.",
      labelNames: ["result"],
      registers,
      collect() {
        this.reset();
        const { toPages, toServer, dropped, malformed } = counts();
        this.inc({ result: "to_page" }, toPages);
        this.inc({ result: "to_server" }, toServer);
        this.inc({ result: "dropped" }, dropped);
        this.inc({ result: "malformed" }, malformed);
      },
    });
  }

  #record(metric: NodeMetric): void {
    const seconds = metric.durationMs / 1000;
    switch (metric.type) {
      case "proposal":
        this.#proposals.inc({ result: metric.ok ? "committed" : "failed" });
        this.#proposalSeconds.observe(seconds);
        return;
      case "persist":
        this.#persistSeconds.observe(seconds);
        this.#persistBytes.inc(metric.bytes);
        return;
      case "apply":
        this.#applySeconds.observe(seconds);
        return;
    }
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.#registry] });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: SECONDS, registers: [this.#registry] });
  }

  #gauges(status: () => NodeStatus): void {
    const gauge = (name: string, help: string, value: (now: NodeStatus) => number): void => {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value(status()));
        },
      });
    };
    gauge("raft_has_leader", "1 if this node knows a leader.", (now) => Number(now.leader !== null));
    gauge("raft_is_leader", "1 if this node leads.", (now) => Number(now.role === "leader"));
    gauge(
      "raft_is_learner",
      "1 if this node has no vote.",
      (now) => Number(now.members.some((member) => member.id === now.id && member.suffrage === "learner")),
    );
    gauge("raft_term", "The current term.", (now) => now.term);
    gauge("raft_commit_index", "The last entry known to be committed.", (now) => now.commitIndex);
    gauge("raft_applied_index", "The last entry applied.", (now) => now.appliedIndex);
    gauge("raft_durable_index", "The last entry durable here.", (now) => now.durableIndex);
    gauge("raft_last_index", "The last entry of the log.", (now) => now.lastIndex);
    gauge("raft_snapshot_index", "The last entry that the newest snapshot covers.", (now) => now.snapshotIndex);
    gauge("raft_members", "Members of the cluster.", (now) => now.members.length);
    gauge("raft_storage_healthy", "0 once the storage has failed.", (now) => Number(now.storage.healthy));
    gauge("raft_uptime_seconds", "Since the node started.", (now) => now.uptimeMs / 1000);
  }

  #peerGauges(status: () => NodeStatus): void {
    const registers = [this.#registry];
    new Gauge({
      name: "raft_peer_lag_entries",
      help: "On the leader: entries that the peer does not have yet.",
      labelNames: ["peer"],
      registers,
      collect() {
        this.reset();
        const now = status();
        for (const peer of now.peers) this.set({ peer: peer.id }, Math.max(0, now.lastIndex - peer.matchIndex));
      },
    });
    new Gauge({
      name: "raft_peer_last_contact_seconds",
      help: "On the leader: since the peer last answered.",
      labelNames: ["peer"],
      registers,
      collect() {
        this.reset();
        for (const peer of status().peers) {
          if (peer.lastContactMs !== null) this.set({ peer: peer.id }, peer.lastContactMs / 1000);
        }
      },
    });
  }
}
