/**
 * Members that need a snapshot while writes go on: three processes, filled with large
 * values, and written to at a steady rate.
 */

import { Coordinator } from "../lib/client/mod.ts";
import { KeyValueClient } from "../lib/kv/client.ts";
import { ownCommand } from "../server/own_command.ts";
import { raftCommand } from "../tests/support/raft_command.ts";
import { eventually, Nodes } from "../tests/support/server_processes.ts";
import type { Node } from "../tests/support/server_processes.ts";
import { createConnectClientTransport } from "../transport/connect/mod.ts";
import { residentBytes } from "./load.ts";
import type { Row } from "./table.ts";
import { number, printTable } from "./table.ts";

const MIB = 1024 * 1024;
/** The size of each value of the state. */
const VALUE_BYTES = MIB;
/** The longest time for a member to catch up. */
const PATIENCE_MS = 300_000;

/** Options of {@linkcode benchCatchUp}. */
export interface CatchUpOptions {
  readonly stateMib: number;
  /** Writes of 100 bytes in a second, begun at this rate whether or not the last ones are done. */
  readonly perSecond: number;
}

/** Writes at a steady rate until it is stopped. */
class SteadyWrites {
  done = 0;
  failed = 0;
  #running = true;
  readonly #startMs = performance.now();
  readonly #ended: Promise<void>;

  constructor(kv: KeyValueClient, perSecond: number) {
    this.#ended = this.#run(kv, perSecond);
  }

  get perSecond(): number {
    return this.done / ((performance.now() - this.#startMs) / 1000);
  }

  stop(): Promise<void> {
    this.#running = false;
    return this.#ended;
  }

  async #run(kv: KeyValueClient, perSecond: number): Promise<void> {
    const value = new Uint8Array(100).fill(7);
    const underWay = new Set<Promise<void>>();
    let begun = 0;
    while (this.#running) {
      const due = Math.floor((performance.now() - this.#startMs) / 1000 * perSecond);
      // A busy machine does not make up for what it could not begin in time.
      for (begun = Math.max(begun, due - perSecond); begun < due && underWay.size < 2 * perSecond; begun++) {
        const write = kv.put(`small-${begun % 10_000}`, value).then(() => void this.done++, () => void this.failed++)
          .finally(() => underWay.delete(write));
        underWay.add(write);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(underWay);
  }
}

async function metric(node: Node, name: string): Promise<number> {
  const text = await (await fetch(`${node.address}/metrics`)).text();
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? 0);
}

/** Returns how long `work` takes, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function seconds(ms: number): string {
  return `${number(ms / 1000)} s`;
}

/** Waits until a node has applied what the leader has committed by now. */
async function caughtUp(nodes: Nodes, node: Node): Promise<void> {
  const leader = await nodes.leader().catch(() => null);
  const target = (await leader?.status())?.commitIndex ?? Infinity;
  await eventually(
    `${node.id} caught up`,
    async () => ((await node.status())?.appliedIndex ?? 0) >= target,
    PATIENCE_MS,
  );
}

async function fill(kv: KeyValueClient, mib: number): Promise<void> {
  for (let i = 0; i < mib; i += 4) {
    await Promise.all([0, 1, 2, 3].map((j) => kv.put(`large-${i + j}`, new Uint8Array(VALUE_BYTES).fill(i + j))));
  }
}

/** Measures. @throws if a member did not catch up */
export async function benchCatchUp({ stateMib, perSecond }: CatchUpOptions): Promise<void> {
  const rows: Row[] = [];
  const row = (name: string, figure: string, note = ""): void => {
    console.log(`  ${name}: ${figure} ${note}`);
    rows.push({ name, figure, note });
  };
  await Nodes.run([ownCommand(), ownCommand(), ownCommand()], async (nodes) => {
    const { endpoints } = nodes;
    const patience = { timeoutMs: 120_000, attemptTimeoutMs: 30_000 };
    await using client = new Coordinator({ endpoints, transport: createConnectClientTransport(), ...patience });
    const kv = new KeyValueClient(client);
    row(`filling ${stateMib} MiB`, seconds(await timed(() => fill(kv, stateMib))));
    const leader = await nodes.leader();
    const [away] = nodes.others(leader);
    await away.end("SIGTERM");
    const writes = new SteadyWrites(kv, perSecond);
    try {
      await raftCommand(nodes, ["snapshot", "take", leader.id]);
      await awayLongEnough(writes, perSecond);
      const before = writes.done;
      const back = await timed(async () => {
        nodes.start(away);
        await caughtUp(nodes, away);
      });
      row("a follower that comes back", seconds(back), await snapshotsOf(away));
      row("  writes meanwhile", `${number((writes.done - before) / (back / 1000))} /s`);
      const fourth = await nodes.join("n4");
      const early = writes.done;
      const added = await timed(() =>
        raftCommand(nodes, ["member", "add", "n4", new URL(fourth.address).host, "--timeout-ms", `${PATIENCE_MS}`])
      );
      row("member add", seconds(added), await snapshotsOf(fourth));
      row("  writes meanwhile", `${number((writes.done - early) / (added / 1000))} /s`);
    } finally {
      await writes.stop();
    }
    const dropped = await Promise.all(nodes.all.map((node) => metric(node, "raft_entries_dropped_total")));
    row("all writes", `${writes.done}`, `${writes.failed} failed, ${number(writes.perSecond)} /s`);
    row("entries dropped that a member needed", `${dropped.reduce((sum, one) => sum + one, 0)}`);
    row("memory of the leader", `${number((residentBytes((await nodes.leader()).pid) ?? 0) / MIB)} MiB`);
  });
  printTable(`${stateMib} MiB of state, ${perSecond} writes/s offered`, rows);
}

/** Waits until the trailing entries are not enough for the follower that is away. */
async function awayLongEnough(writes: SteadyWrites, perSecond: number): Promise<void> {
  const { done } = writes;
  await eventually("writes", () => writes.done > done + Math.max(5000, 3 * perSecond), PATIENCE_MS);
}

async function snapshotsOf(node: Node): Promise<string> {
  const installed = await metric(node, 'raft_snapshots_total{reason="installed"}');
  return `${installed} snapshot${installed === 1 ? "" : "s"} installed`;
}
