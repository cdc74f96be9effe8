import assert from "node:assert/strict";
import { ROOT, run } from "../../tools/run.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { emptyFolder } from "./file_server.ts";

const PROGRAM = `
import { membershipOf, MemoryNetwork, MemoryStorage, KeyValue, RaftNode, systemHost } from ${
  JSON.stringify(`${ROOT}mod.ts`)
};
systemHost().enqueue(() => console.log("a task runs before the end"));
const membership = membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "" }] });
const node = await RaftNode.start({
  id: "n1", address: "n1", stateMachine: new KeyValue(), storage: new MemoryStorage(),
  transport: new MemoryNetwork().transport("n1"), bootstrap: { clusterId: "c", membership }, electionTimeoutMs: 100,
  heartbeatIntervalMs: 20,
});
await node.leadership();
await node.close();
`;

for (const name of ["deno", "node", "bun"] as const) {
  Deno.test(`a program ends by itself once its node is closed, in ${name}`, async () => {
    await using folder = await emptyFolder();
    await Deno.writeTextFile(`${folder.path}/main.mts`, PROGRAM);
    const flags = name === "deno" ? ["run", "--no-check", "--allow-all"] : [];
    const program = [(await runtimes())[name], ...flags, `${folder.path}/main.mts`];
    const ran = await run(program, { quiet: true, timeoutMs: 20_000, cwd: folder.path });
    assert.ok(ran.ok, `${ran.timedOut ? "still running after 20 s" : "failed"}:\n${ran.output}`);
    assert.equal(ran.output.trim(), "a task runs before the end");
  });
}
