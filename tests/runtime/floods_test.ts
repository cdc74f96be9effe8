/**
 * Requests that are small to send and would be dear to receive, over real sockets,
 * to a server in each runtime.
 */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { runtimes } from "../../tools/runtimes.ts";
import { eventually, type Node, Nodes } from "../support/server_processes.ts";

const MIB = 1024 * 1024;
const LIMIT = 8 * MIB;
const BODIES = 30;
const SEND = "PeerService/Send";
const PROPOSE = "ClientService/Propose";

/** Runs `body` for a server in each runtime. They form one cluster. */
async function inEachRuntime(body: (node: Node) => Promise<void>, ...flags: string[]): Promise<void> {
  const { deno, node, bun } = await runtimes();
  const server = new URL("../../server/main.ts", import.meta.url).pathname;
  const commands = [[deno, "run", "--no-check", "--allow-all", server], [node, server], [bun, server]];
  await Nodes.run(commands, async (nodes) => {
    await nodes.leader();
    for (const each of nodes.all) await eventually(`${each.id} serves`, async () => (await each.status()) !== null);
    for (const each of nodes.all) await body(each);
  }, flags);
}

/** A request whose body does not end. */
class Begun {
  readonly #socket: Socket;
  answer = "";
  ended = false;

  constructor({ address }: Node, target: string, sent: Uint8Array, length = 5 * MIB) {
    const { host, hostname, port } = new URL(address);
    const head = `${target} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/proto\r\ncontent-length: ${length}`;
    this.#socket = connect(Number(port), hostname).setEncoding("latin1");
    this.#socket.on("data", (text) => this.answer += text).on("error", () => {}).on("close", () => this.ended = true);
    this.#socket.write(`${head}\r\n\r\n`);
    this.#socket.write(sent);
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function metric({ address }: Node, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

Deno.test("bodies that never end share one budget, beside which a client is served", async () => {
  await inEachRuntime(
    async (node) => {
      const begun: Begun[] = [];
      for (const target of [`POST /raft.v1.${PROPOSE}`, `POST /raft.v1.${SEND}`]) {
        for (let at = 0; at < BODIES; at++) begun.push(new Begun(node, target, new Uint8Array(MIB)));
      }
      // The largest are refused once there is no room for all.
      const refused = (): number =>
        begun.filter(({ answer }) => answer.includes("fill the limit of 8388608 bytes")).length;
      await eventually(`${node.id} refuses some`, () => refused() > 0);
      assert.match(begun.find(({ answer }) => answer !== "")!.answer, /^HTTP\/1.1 429 /);
      await eventually("no more are held than fit", () => {
        return begun.filter(({ answer, ended }) => answer === "" && !ended).length * MIB <= LIMIT;
      });
      assert.ok(await metric(node, "raft_receive_bytes") <= LIMIT);
      assert.ok(await metric(node, "raft_receive_refused_total") > 0);
      const written = await node.put("beside", "x");
      assert.ok(written.ok, await written.text());
      for (const body of begun) body.close();
      await eventually("their bytes are free again", async () => await metric(node, "raft_receive_bytes") === 0);
    },
    "--max-receive-bytes",
    String(LIMIT),
  );
});

Deno.test("a body that stops is answered and given up, be it for the store or a service", async () => {
  await inEachRuntime(
    async (node) => {
      for (
        const [target, length, status] of [
          ["PUT /kv/slow", 1000, 503],
          ["PUT /kv/slow", 1_000_000, 503],
          [`POST /raft.v1.${PROPOSE}`, 1000, 504],
          [`POST /raft.v1.${PROPOSE}`, 1_000_000, 504],
        ] as const
      ) {
        const slow = new Begun(node, target, new Uint8Array(10), length);
        await eventually(`${node.id} answers ${target}`, () => slow.answer.startsWith(`HTTP/1.1 ${status} `));
        slow.close();
      }
      await eventually("nothing is held", async () => await metric(node, "raft_receive_bytes") === 0);
    },
    "--body-timeout-ms",
    "1000",
  );
});

Deno.test("a message of a million elements is refused before it is decoded", async () => {
  const post = async ({ address }: Node, method: string, type: string, body: BodyInit) => {
    const headers = { "content-type": `application/${type}` };
    const response = await fetch(`${address}/raft.v1.${method}`, { method: "POST", headers, body });
    return { status: response.status, text: await response.text() };
  };
  await inEachRuntime(async (node) => {
    const empty = new Uint8Array(2 * MIB);
    for (let at = 0; at < empty.length; at += 2) empty[at] = 0x0a;
    for (const method of [SEND, PROPOSE, "AdminService/ChangeMembership"]) {
      const { status, text } = await post(node, method, "proto", empty);
      assert.equal(status, 413, text);
      assert.match(text, /a message carries at most \d+ [a-z]+"/);
    }
    const json = await post(node, PROPOSE, "json", `{"commands":[${new Array(MIB).fill('""').join(",")}]}`);
    assert.equal(json.status, 413, json.text);
    assert.ok((await node.put("after", "x")).ok);
  });
});
