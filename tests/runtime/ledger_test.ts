/** examples/ledger.ts, run like by its reader: three processes, in each runtime, and one of each. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Coordinator, TypedClient } from "../../mod.ts";
import { createConnectClientTransport } from "../../transport/connect/mod.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { run } from "../../tools/run.ts";
import { eventually, freePort } from "../support/server_processes.ts";
import { emptyFolder } from "./file_server.ts";

const LEDGER = fileURLToPath(new URL("../../examples/ledger.ts", import.meta.url));

type Command = readonly [string, ...string[]];

/** A process that serves. */
class Serving {
  readonly address: string;
  readonly #child: Deno.ChildProcess;

  constructor(id: string, [program, ...first]: Command, cwd: string, ports: readonly number[]) {
    this.address = `http://127.0.0.1:${ports[Number(id.slice(1)) - 1]}`;
    this.#child = new Deno.Command(program, {
      args: [...first, LEDGER, "serve", id],
      cwd,
      env: { LEDGER_PORTS: ports.join(",") },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async leads(): Promise<boolean> {
    try {
      const response = await fetch(`${this.address}/status`, { signal: AbortSignal.timeout(2000) });
      return (await response.json()).role === "leader";
    } catch {
      return false;
    }
  }

  /** Sends a signal to its process id, and waits for its end. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<Deno.CommandStatus> {
    try {
      Deno.kill(this.#child.pid, signal);
    } catch {
      // It has ended already.
    }
    return await this.#child.status;
  }
}

async function leader(nodes: ReadonlyMap<string, Serving>): Promise<string> {
  return await eventually("a leader", async () => {
    for (const [id, node] of nodes) if (await node.leads()) return id;
    return null;
  });
}

/** Runs a ledger on three processes, and kills the leader during transfers. */
async function ledgerOn(commands: readonly [Command, Command, Command]): Promise<void> {
  await using folder = await emptyFolder();
  const ports = [await freePort(), await freePort(), await freePort()];
  const nodes = new Map<string, Serving>();
  const serve = (id: string) =>
    void nodes.set(id, new Serving(id, commands[Number(id.slice(1)) - 1]!, folder.path, ports));
  ["n1", "n2", "n3"].forEach(serve);
  const endpoints = [...nodes.values()].map(({ address }) => address);
  try {
    const [own, ...first] = commands[0];
    const ledger = async (...args: string[]): Promise<string> => {
      const env = { LEDGER_PORTS: ports.join(","), NO_COLOR: "1" };
      const ran = await run([own, ...first, LEDGER, ...args], { cwd: folder.path, env, quiet: true });
      assert.ok(ran.ok, ran.output);
      return ran.output.trim().replaceAll(/\s+/g, " ").replaceAll('"', "'");
    };
    await leader(nodes);
    assert.match(await ledger("transfer", "bank", "alice", "100"), /bank: -100, alice: 100/);
    assert.match(await ledger("transfer", "alice", "bob", "101"), /refused: 'alice has 100'/);

    await using client = new Coordinator({ endpoints, transport: createConnectClientTransport(), timeoutMs: 30_000 });
    const ledgerClient = new TypedClient<unknown, unknown, null, unknown>({ version: 1 }, client);
    assert.deepEqual([...(await client.propose(new Uint8Array([255]))).result], [1]);
    for (const unsound of [null, 7, { from: "alice" }]) {
      assert.deepEqual(await ledgerClient.propose(unsound), { refused: "a transfer has from, to and amount" });
    }
    const transfer = () => ledgerClient.propose({ from: "alice", to: "bob", amount: 1 });
    const before = Array.from({ length: 20 }, transfer);
    await before[0];
    const killed = await leader(nodes);
    const [, during] = await Promise.all([
      nodes.get(killed)!.end("SIGKILL"),
      Promise.all(Array.from({ length: 20 }, transfer)),
    ]);
    assert.equal((await Promise.all(before)).length + during.length, 40);

    serve(killed);
    const expected = { bank: -100, alice: 60, bob: 40 };
    assert.deepEqual(await ledgerClient.read(null), expected);
    const direct = createConnectClientTransport();
    await eventually("the node that was killed has it all", async () => {
      try {
        const address = nodes.get(killed)!.address;
        const own = new TypedClient<unknown, unknown, null, Record<string, number>>({ version: 1 }, {
          propose: (command) => client.propose(command),
          read: (query, options = {}) => direct.read(address, query, options),
        });
        return (await own.read(null, { consistency: "stale" }))["bob"] === 40 ? true : null;
      } catch {
        return null;
      }
    });
    assert.match(await ledger("balances"), /bank: -100, alice: 60, bob: 40/);
    for (const node of nodes.values()) assert.equal((await node.end("SIGTERM")).code, 0);
  } finally {
    for (const node of nodes.values()) await node.end("SIGKILL");
  }
}

Deno.test("examples/ledger.ts is under 60 lines", async () => {
  assert.ok((await Deno.readTextFile(LEDGER)).trimEnd().split("\n").length < 60);
});

for (const name of ["deno", "node", "bun"] as const) {
  Deno.test(`the ledger on three processes of ${name} outlives its leader, and no transfer happens twice`, async () => {
    const { [name]: program } = await runtimes();
    const command: Command = name === "deno" ? [program, "run", "--allow-all", "--no-check"] : [program];
    await ledgerOn([command, command, command]);
  });
}
