/**
 * `kill -9` under load: every acknowledged write survives, none is applied twice, and
 * the clients continue by themselves.
 *
 * RAFT_TEST_KILLS (rounds) and RAFT_TEST_LOAD_MS (load before each kill) make the
 * runs longer.
 */

import { RecordedWriters } from "../../support/recorded_writers.ts";
import { eventually, Nodes, threeNodes } from "../../support/server_processes.ts";

const KILLS = Number(Deno.env.get("RAFT_TEST_KILLS") ?? 10);
const LOAD_MS = Number(Deno.env.get("RAFT_TEST_LOAD_MS") ?? 500);

/** Waits for a random time, so that kills happen anywhere in the load. */
function sometimeWithin(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * ms));
}

/** Waits until the writers have received this many more acknowledgements. */
async function progress(writers: RecordedWriters, more = 100): Promise<void> {
  const goal = writers.acknowledged + more;
  await eventually(`${more} more acknowledged writes`, () => writers.acknowledged >= goal, 60_000);
}

async function underLoad(name: string, kill: (nodes: Nodes) => Promise<void>): Promise<void> {
  await Nodes.run(threeNodes(), async (nodes) => {
    const writers = new RecordedWriters(nodes.endpoints);
    for (let n = 0; n < KILLS; n++) {
      await progress(writers);
      await sometimeWithin(LOAD_MS);
      await kill(nodes);
    }
    await progress(writers);
    console.log(name, JSON.stringify(await writers.verify()));
  }, ["--snapshot-entries", "5000"]);
}

Deno.test("the leader is killed under load, again and again: nothing is lost or applied twice", async () => {
  await underLoad("leader killed", async (nodes) => {
    const killed = await nodes.leader();
    await killed.end("SIGKILL");
    await nodes.leader(killed);
    nodes.start(killed);
    await nodes.leader();
  });
});

Deno.test("all nodes are killed at once under load, again and again: nothing is lost or applied twice", async () => {
  await underLoad("all killed", async (nodes) => {
    await Promise.all(nodes.all.map((node) => node.end("SIGKILL")));
    for (const node of nodes.all) nodes.start(node);
    await nodes.leader();
  });
});
