/**
 * The suite of what a node and `raft status` say of a node that takes no part: real
 * processes, ports and disks.
 */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { run } from "../../server/cli/run.ts";
import { systemServices } from "../../server/cli/services.ts";
import { eventually, freePort, Nodes } from "../support/server_processes.ts";
import type { Node } from "../support/server_processes.ts";
import type { Suite } from "./portable.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Runs a command of `raft` against nodes. */
export async function raft(nodes: readonly Node[], ...args: readonly string[]): Promise<Ran> {
  let out = "";
  const decoder = new TextDecoder();
  const write = (data: string | Uint8Array): Promise<void> => {
    out += typeof data === "string" ? data : decoder.decode(data);
    return Promise.resolve();
  };
  const servers = nodes.map(({ address }) => new URL(address).host).join(",");
  const code = await run(args[0] === "log" ? args : [...args, "--server", servers], {
    stdout: { isTerminal: false, write },
    stderr: { isTerminal: false, write },
    stdin: { isTerminal: false, read: () => (async function* () {})() },
    env: {},
    signal: new AbortController().signal,
  }, systemServices);
  return { code, out };
}

/** Waits until `raft status` ends with a code and prints a pattern. */
export async function statusSays(nodes: readonly Node[], code: number, ...patterns: readonly RegExp[]): Promise<void> {
  let last: Ran = { code: -1, out: "" };
  const says = async (): Promise<boolean> => {
    last = await raft(nodes, "status");
    return last.code === code && patterns.every((pattern) => pattern.test(last.out));
  };
  await eventually("status", says).catch((error) => {
    throw new Error(`${error}: expected ${code} ${patterns.join(" ")}, last: ${last.code}\n${last.out}`);
  });
}

function times(node: Node, pattern: RegExp): number {
  return node.output.split("\n").filter((line) => pattern.test(line)).length;
}

async function statusOf(node: Node): Promise<{ readonly removed?: boolean; readonly reason?: string }> {
  return await (await fetch(`${node.address}/status`)).json();
}

/** Checks that a node says everywhere, and at once, that it was removed. */
async function saysRemoved(node: Node): Promise<void> {
  await node.printed(/This node was removed from its cluster/);
  await eventually("the status", async () => (await statusOf(node)).removed);
  const { reason } = await statusOf(node);
  assert.equal(reason, "this node was removed from its cluster");
  assert.match(await (await fetch(`${node.address}/readyz`)).text(), /\[-\]member failed: removed from its cluster/);
  const began = performance.now();
  const refused = await fetch(`${node.address}/kv/a`, { method: "PUT", body: "1" });
  const { code, detail } = await refused.json() as { readonly code: string; readonly detail: string };
  assert.deepEqual([refused.status, code], [503, "not_a_member"]);
  assert.match(detail, /was removed from its cluster/);
  // The longest wait for a leader is five seconds.
  assert.ok(performance.now() - began < 4000);
  assert.equal(times(node, /This node was removed/), 1);
}

/** Returns the leader, and a follower to do things to. */
export async function pair(nodes: Nodes): Promise<{ leader: Node; other: Node; rest: Node[] }> {
  const leader = await nodes.leader();
  const [other] = nodes.others(leader);
  await statusSays(nodes.all, 0, /3 of 3 voters up, survives 1 more failure/);
  return { leader, other, rest: nodes.others(other) };
}

/**
 * The suite.
 *
 * @param command the command that starts each node
 */
export function standingSuite(command: readonly string[]): Suite {
  const commands = [command, command, command];
  return {
    name: "standing",
    cases: [
      {
        name: "the leader logs a silent peer once, and its return; status counts it as down",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const { leader, other } = await pair(nodes);
            await other.end("SIGKILL");
            const silent = new RegExp(`warn .*${other.id} does not answer`);
            const back = new RegExp(`info .*${other.id} answers again .*silentSeconds=`);
            await leader.printed(silent);
            await statusSays(nodes.all, 5, /2 of 3 voters up, survives none/, new RegExp(`^${other.id} .* down `, "m"));
            // Many heartbeats.
            await new Promise((resolve) => setTimeout(resolve, 3000));
            nodes.start(other);
            await leader.printed(back);
            assert.deepEqual([times(leader, silent), times(leader, back)], [1, 1]);
            await statusSays(nodes.all, 0, /3 of 3 voters up/);
          }),
      },
      {
        name: "a removed node says so at once, in its log, its status and to clients",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const { leader, other, rest } = await pair(nodes);
            assert.equal((await raft(rest, "member", "remove", other.id)).code, 0);
            await saysRemoved(other);
            assert.equal(times(leader, new RegExp(`${other.id} does not answer`)), 0);
            await statusSays(
              [other, ...rest],
              0,
              /2 of 2 voters up, survives none/,
              new RegExp(`^${other.id} .* not a member .* this node was removed from its cluster$`, "m"),
            );
            const alone = await raft([other], "kv", "put", "a", "1");
            assert.equal(alone.code, 0, `it leads to the members: ${alone.out}`);
            for (const node of rest) await node.end("SIGKILL");
            const refused = await raft([other], "kv", "put", "a", "1");
            assert.equal(refused.code, 5);
            assert.match(refused.out, new RegExp(`${other.id} was removed from the cluster`));
            assert.ok(!refused.out.includes("election"));
          }),
      },
      {
        name: "a node that was removed while it was down says so",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const { other, rest } = await pair(nodes);
            await other.end("SIGKILL");
            assert.equal((await raft(rest, "member", "remove", other.id)).code, 0);
            nodes.start(other);
            await saysRemoved(other);
          }),
      },
      {
        name: "a node that comes back at another address says what to do, and is up once that is done",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const { other, rest } = await pair(nodes);
            await other.end("SIGTERM");
            const again = await nodes.replace(other, command, { address: `http://127.0.0.1:${await freePort()}` });
            const former = new URL(other.address).host;
            const now = new URL(again.address).host;
            // With the list of before: its own entry is no word about where it listens.
            nodes.start(again);
            await again.printed(
              new RegExp(`warn .*has this node at http://${former}, but it listens on http://${now}`),
            );
            await again.printed(new RegExp(`hint=.*--listen ${former} again.*raft member add ${other.id} ${now}`));
            await statusSays(
              nodes.all,
              5,
              /2 of 3 voters up, survives none/,
              new RegExp(`^${other.id} .* it has no leader; the membership has this node at http://${former}`, "m"),
            );
            const added = await raft(rest, "member", "add", other.id, now);
            assert.equal(added.code, 0, added.out);
            assert.match(added.out, new RegExp(`${other.id} is a voter at ${now} now`));
            await statusSays(
              nodes.all,
              0,
              /3 of 3 voters up, survives 1 more failure/,
              new RegExp(`${now} .*ok$`, "m"),
            );
            assert.equal((await statusOf(again)).reason, undefined);
          }),
      },
      {
        name: "a voter whose data folder was replaced is not up, and its refusals tell why",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const { other } = await pair(nodes);
            await other.end("SIGKILL");
            rmSync(other.data, { recursive: true });
            nodes.start(other, "--join");
            await statusSays(
              nodes.all,
              5,
              /2 of 3 voters up, survives none/,
              new RegExp(`^${other.id} .* its data folder is not the member's`, "m"),
            );
          }),
      },
    ],
  };
}
