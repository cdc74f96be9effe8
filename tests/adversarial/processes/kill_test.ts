/**
 * `kill -9` under load: every acknowledged write is there afterwards, none was
 * applied twice, and the clients go on by themselves.
 *
 * RAFT_TEST_KILLS (rounds) and RAFT_TEST_LOAD_MS (load before and after a kill)
 * make the runs longer.
 */

import { eventually, ProcessCluster } from "../../support/process_cluster.ts";
import { RecordedWriters } from "../../support/recorded_writers.ts";

const KILLS = Number(Deno.env.get("RAFT_TEST_KILLS") ?? 10);
const LOAD_MS = Number(Deno.env.get("RAFT_TEST_LOAD_MS") ?? 1000);

/** The moment of a kill is meant to be anywhere in the load. */
function sometimeWithin(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * ms));
}

/** Waits until the writers have got so many more acknowledgements. */
async function progress(writers: RecordedWriters, more = 100): Promise<void> {
  const goal = writers.acknowledged + more;
  await eventually(`${more} more acknowledged writes`, () => writers.acknowledged >= goal, 60_000);
}

async function underLoad(name: string, round: (cluster: ProcessCluster, n: number) => Promise<void>): Promise<void> {
  await using cluster = await ProcessCluster.start({ flags: ["--snapshot-entries", "5000"] });
  const writers = new RecordedWriters(cluster.endpoints);
  try {
    for (let n = 0; n < KILLS; n++) {
      await progress(writers);
      await sometimeWithin(LOAD_MS);
      await round(cluster, n);
    }
    await progress(writers);
    console.log(name, JSON.stringify(await writers.verify()));
  } catch (error) {
    console.error(cluster.outputs());
    throw error;
  }
}

Deno.test("the leader is killed under load, again and again: nothing is lost or applied twice", async () => {
  await underLoad("leader killed", async (cluster) => {
    const killed = await cluster.leader();
    await cluster.kill(killed);
    await cluster.leader(30_000, killed);
    cluster.restart(killed);
  });
});

Deno.test("all nodes are killed at once under load, again and again: nothing is lost or applied twice", async () => {
  await underLoad("all killed", async (cluster) => {
    await Promise.all([...cluster.servers.keys()].map((id) => cluster.kill(id)));
    for (const id of [...cluster.servers.keys()]) cluster.restart(id);
    await cluster.leader();
  });
});
