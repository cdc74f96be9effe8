import assert from "node:assert/strict";
import { foreignModules } from "../../tools/build.ts";
import { run } from "../../tools/run.ts";
import { emptyFolder, serveProject } from "./file_server.ts";
import { Nodes } from "../support/server_processes.ts";

/** Runs Deno in a folder with a cache of its own, and returns the last line of output. */
async function denoIn(folder: string, ...args: string[]): Promise<string> {
  const env = { DENO_DIR: `${folder}/.cache`, NO_COLOR: "1" };
  const ran = await run([Deno.execPath(), ...args], { cwd: folder, env, quiet: true, timeoutMs: 60_000 });
  assert.ok(ran.ok && !ran.timedOut, ran.output);
  return ran.output.trim().split("\n").at(-1) ?? "";
}

Deno.test("URL import: mod.ts imports from an empty folder, without an import map or a configuration", async () => {
  await using server = serveProject();
  await using folder = await emptyFolder();
  const program = `import { RaftError } from "${server.url}mod.ts"; console.log(new RaftError("busy", "").code);`;
  await Deno.writeTextFile(`${folder.path}/main.ts`, program);
  assert.equal(
    await denoIn(folder.path, "run", "--quiet", "--no-check", `--allow-import=${new URL(server.url).host}`, "main.ts"),
    "busy",
  );
  assert.ok(
    server.requested.every((path) => path === "mod.ts" || /^(lib\/|(storage|transport)\/\w+\.ts$)/.test(path)),
  );
});

Deno.test("URL import: a cluster in memory is five lines", async () => {
  await using server = serveProject();
  await using folder = await emptyFolder();
  const program = `
import { KeyValue, membershipOf, MemoryNetwork, MemoryStorage, RaftNode } from "${server.url}mod.ts";
const network = new MemoryNetwork(), bootstrap = { clusterId: "c", membership: membershipOf({ voters: ["n1", "n2", "n3"].map((id) => ({ id, address: id, incarnation: "" })) }) };
const nodes = await Promise.all(["n1", "n2", "n3"].map((id) => RaftNode.start({ id, address: id, bootstrap, stateMachine: new KeyValue(), storage: new MemoryStorage(), transport: network.transport(id) })));
const { index } = await Promise.any(nodes.map((node) => node.leadership().then(() => node.propose(new Uint8Array()))));
console.log(index > 1), await Promise.all(nodes.map((node) => node.close()));
`.trim();
  assert.equal(program.split("\n").length, 5);
  await Deno.writeTextFile(`${folder.path}/main.ts`, program);
  const printed = await denoIn(
    folder.path,
    "run",
    "--quiet",
    "--no-check",
    `--allow-import=${new URL(server.url).host}`,
    "main.ts",
  );
  assert.equal(printed, "true");
});

Deno.test("URL import: the graph of mod.ts holds no npm or node module", async () => {
  assert.deepEqual(await foreignModules("mod.ts"), []);
});

Deno.test("URL import: a server runs from a URL, with deno.json as its import map", async () => {
  await using server = serveProject();
  const command = [Deno.execPath(), "run", "--no-check", "--no-lock", "--allow-all"];
  const node = [...command, `--import-map=${server.url}deno.json`, `${server.url}server/main.ts`];
  await Nodes.run([node], async (nodes) => {
    const leader = await nodes.leader();
    const answer = await leader.put("colour", "green");
    const text = await answer.text();
    assert.ok(answer.ok, text);
    assert.equal(await leader.get("colour"), "green");
    for (const path of ["/livez", "/readyz", "/status", "/metrics"]) {
      const response = await fetch(leader.address + path);
      await response.body?.cancel();
      assert.equal(response.status, 200, path);
    }
  });
});
