/**
 * The suite of servers, for each runtime and for a cluster of several: real processes,
 * ports and disks.
 */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import type { Suite } from "./portable.ts";
import { eventually, Nodes } from "../support/server_processes.ts";
import type { Node } from "../support/server_processes.ts";

async function written(response: Response): Promise<number> {
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text).version;
}

/** Puts through any node that is up; all are acknowledged. */
async function putAll(nodes: readonly Node[], prefix: string, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, at) => {
    const node = nodes[at % nodes.length];
    assert.ok(node !== undefined);
    await written(await node.put(`${prefix}${at}`, `value ${at}`));
  }));
}

async function checkAll(node: Node, prefix: string, count: number): Promise<void> {
  for (let at = 0; at < count; at++) assert.equal(await node.get(`${prefix}${at}`), `value ${at}`);
}

/**
 * The suite.
 *
 * @param name the runtime of the servers
 * @param commands the commands that start n1, n2 and n3
 */
export function serverSuite(name: string, commands: readonly (readonly string[])[]): Suite {
  const [command = []] = commands;
  return {
    name: `server processes: ${name}`,
    cases: [
      {
        name: "any node takes any request; the leader is killed, and nothing is lost",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            await putAll(nodes.all, "a", 30);
            await leader.end("SIGKILL");
            const [other] = nodes.others(leader);
            await checkAll(other, "a", 30);
            await putAll(nodes.others(leader), "b", 10);
            nodes.start(leader);
            await eventually("the killed node has caught up", async () => {
              const [was, is] = [await leader.status(), await other.status()];
              return was !== null && is !== null && was.appliedIndex === is.appliedIndex;
            });
            assert.equal(await leader.get("b9", "?consistency=stale"), "value 9");
            await checkAll(leader, "b", 10);
          }),
      },
      {
        name: "all are killed at once and restarted; nothing is lost, and the cluster continues",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            await putAll(nodes.all, "a", 30);
            await Promise.all(nodes.all.map((node) => node.end("SIGKILL")));
            for (const node of nodes.all) nodes.start(node);
            const leader = await nodes.leader();
            await checkAll(leader, "a", 30);
            await putAll([leader], "b", 10);
          }),
      },
      {
        name: "SIGTERM hands leadership over, and ends with exit code 0",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            assert.equal(await leader.end("SIGTERM"), 0);
            assert.match(leader.output, /Hands leadership over to n\d/);
            assert.match(leader.output, /Closed/);
            assert.notEqual(await nodes.leader(leader), leader);
          }),
      },
      {
        name: "a node that was away comes back by snapshot",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            const [away, third] = nodes.others(leader);
            await away.end("SIGKILL");
            for (let round = 0; round < 15; round++) await putAll([leader, third ?? leader], `r${round}-`, 100);
            assert.equal((await leader.call("AdminService/TakeSnapshot", {})).status, 200);
            nodes.start(away);
            await eventually("it has installed a snapshot", async () => {
              const status = await away.status();
              return status !== null && status.snapshotIndex > 0 && status.appliedIndex > 1500;
            });
            await away.printed(/Installed a snapshot/);
            assert.equal(await away.get("r14-99", "?consistency=stale"), "value 99");
          }, ["--snapshot-entries", "100"]),
      },
      {
        name: "a fourth node is added, another removed",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            const [other] = nodes.others(leader);
            await putAll(nodes.all, "a", 20);
            const added = await nodes.make("n4", command);
            nodes.start(added, "--join");
            await eventually("it listens", () => added.status());
            const answer = await other.call("AdminService/AddMember", {
              id: "n4",
              address: new URL(added.address).host,
            });
            assert.equal(answer.status, 200, answer.text);
            await checkAll(added, "a", 20);
            const removed = await other.call("AdminService/RemoveMember", { id: leader.id });
            assert.equal(removed.status, 200, removed.text);
            const next = await eventually("another leads", async () => {
              const status = await other.status();
              return status !== null && status.leader !== null && status.leader.id !== leader.id ? status : null;
            });
            assert.deepEqual(next.members.map(({ id }) => id).sort(), nodes.others(leader).map(({ id }) => id).sort());
            await putAll(nodes.others(leader), "b", 10);
          }),
      },
      {
        name: "an empty folder under an old id is refused with exit code 6, and replaced as the message says",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            const [wiped] = nodes.others(leader);
            await putAll(nodes.all, "a", 5);
            await wiped.end("SIGKILL");
            rmSync(wiped.data, { recursive: true });
            nodes.start(wiped);
            assert.equal(await wiped.exited, 6);
            assert.match(wiped.output, new RegExp(`raft member remove ${wiped.id}`));

            const removed = await leader.call("AdminService/RemoveMember", { id: wiped.id });
            assert.equal(removed.status, 200, removed.text);
            nodes.start(wiped, "--join");
            await eventually("it listens", () => wiped.status());
            const added = await leader.call("AdminService/AddMember", { id: wiped.id, address: wiped.address });
            assert.equal(added.status, 200, added.text);
            await checkAll(wiped, "a", 5);
          }),
      },
      {
        name: "a port in use, a folder in use, a folder of another node: one message, and an exit code",
        run: () =>
          Nodes.run(commands.slice(0, 1), async (nodes) => {
            const running = await nodes.leader();
            const second = await nodes.make("n2", command);
            second.start(["--listen", new URL(running.address).host, "--join"]);
            assert.equal(await second.exited, 1);
            assert.match(second.output, /is in use by another process/);
            second.start(["--data", running.data, "--join"]);
            assert.equal(await second.exited, 6);
            assert.match(second.output, /locked/);
            await running.end("SIGTERM");
            second.start(["--data", running.data, "--join"]);
            assert.equal(await second.exited, 6);
            assert.match(second.output, /belongs to n1, not to n2/);
          }),
      },
      {
        name: "leadership is transferred to the node that an operator names, through any node",
        run: () =>
          Nodes.run(commands, async (nodes) => {
            const leader = await nodes.leader();
            const [next, third] = nodes.others(leader);
            const answer = await (third ?? next).call("AdminService/TransferLeadership", { to: next.id });
            assert.equal(answer.status, 200, answer.text);
            assert.equal(JSON.parse(answer.text).leaderId, next.id);
            assert.equal((await nodes.leader()).id, next.id);
          }),
      },
    ],
  };
}
