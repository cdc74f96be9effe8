/**
 * A disk that hangs, below servers in each runtime: the leader gives its leadership
 * up and goes on answering, and stops itself once the disk has hung for long.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { runtimes } from "../../../tools/runtimes.ts";
import type { Disk } from "../../chaos/disks.ts";
import { makeDisk } from "../../chaos/disks.ts";
import { commandOf, eventually, freePort, Node } from "../../support/server_processes.ts";

/** The time after which a node stops whose write has not returned. */
const STALL_MS = 30_000;

/** Runs three servers, each on a disk of its own; reports if this machine permits none. */
async function onDisks(
  command: readonly string[],
  work: (nodes: readonly Node[], diskOf: (node: Node) => Disk) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "raft-frozen-" });
  const disks = new Map<string, Disk>();
  const nodes: Node[] = [];
  try {
    for (const id of ["n1", "n2", "n3"]) {
      try {
        disks.set(id, makeDisk(join(folder, id)));
      } catch (error) {
        console.log(`no disk can be mounted here: ${error instanceof Error ? error.message : error}`);
        return;
      }
      nodes.push(new Node(id, `http://127.0.0.1:${await freePort()}`, join(folder, id, "data"), command));
    }
    const peers = nodes.map(({ id, address }) => `${id}=${new URL(address).host}`).join(",");
    for (const node of nodes) node.start(["--peers", peers]);
    await work(nodes, ({ id }) => disks.get(id)!);
  } catch (error) {
    const outputs = nodes.map(({ id, output }) => `--- ${id}\n${output}`).join("\n");
    throw new Error(`${error instanceof Error ? error.message : error}\n${outputs}`, { cause: error });
  } finally {
    // A process whose write hangs can't be killed.
    for (const disk of disks.values()) await disk.resume();
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    for (const disk of disks.values()) disk.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function leaderOf(nodes: readonly Node[]): Promise<Node> {
  return eventually("a leader", async () => {
    const statuses = await Promise.all(nodes.map((node) => node.status()));
    return nodes.find((_, at) => statuses[at]?.role === "leader");
  });
}

async function freeze(nodes: readonly Node[], diskOf: (node: Node) => Disk): Promise<void> {
  const leader = await leaderOf(nodes);
  assert.ok((await leader.put("before", "1")).ok);
  await diskOf(leader).hang();
  // Its outcome is unknown: the entry may reach the others, or not.
  const hanging = fetch(`${leader.address}/kv/during`, { method: "PUT", body: "2" }).then((response) => {
    assert.equal(response.status, 503);
    return response.body?.cancel();
  });
  const next = await leaderOf(nodes.filter((node) => node !== leader));
  assert.ok((await next.put("after", "3")).ok);
  const ask = () => fetch(`${leader.address}/livez`, { signal: AbortSignal.timeout(5000) });
  const alive = await ask();
  assert.deepEqual([alive.status, await alive.text()], [200, "ok\n"]);
  assert.notEqual((await leader.status())?.role, "leader");
  assert.equal(await leader.get("before", "?consistency=stale"), "1");
  await hanging;
  await eventually("the end of the node", async () => {
    const response = await ask().catch(() => null);
    await response?.body?.cancel();
    return response === null || response.status === 503;
  }, 2 * STALL_MS);
  await leader.printed(/has not returned/);
  assert.equal(await next.get("before"), "1");
}

Deno.test("a leader whose disk hangs gives up leadership, answers and finally stops, in Deno, Node and Bun", async () => {
  const programs = await runtimes();
  // At the same time, because most of it is waiting.
  await Promise.all((["deno", "node", "bun"] as const).map(async (runtime) => {
    try {
      await onDisks(commandOf(runtime, programs[runtime]), freeze);
    } catch (error) {
      throw new Error(`${runtime}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }));
});
