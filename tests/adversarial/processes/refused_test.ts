import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { raftCommand } from "../../support/raft_command.ts";
import { eventually, Nodes, ownCommand, threeNodes } from "../../support/server_processes.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Copies the server, as a version of the protocol that does not exist yet. */
function otherVersion(): { readonly command: readonly string[]; readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "raft-core-version-"));
  for (const name of ["lib", "server", "hosting", "storage", "transport", "deno.json", "package.json", "mod.ts"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const file = join(folder, "lib/transport.ts");
  const text = readFileSync(file, "utf8");
  const changed = text.replace("PROTOCOL_VERSION = 1", "PROTOCOL_VERSION = 99");
  assert.notEqual(changed, text);
  writeFileSync(file, changed);
  const command = ownCommand().map((word) => word.startsWith(ROOT) ? join(folder, word.slice(ROOT.length)) : word);
  return { command, folder };
}

/** Waits until `raft status` ends with 5 and prints a pattern. */
async function statusSays(nodes: Nodes, pattern: RegExp): Promise<void> {
  await eventually(`status with ${pattern}`, async () => {
    try {
      return pattern.test((await raftCommand(nodes, ["status"], 5)).stdout);
    } catch {
      return false;
    }
  }, 60_000);
}

Deno.test("a voter of another protocol version is not up, and status says which versions differ", async () => {
  const { command, folder } = otherVersion();
  try {
    await Nodes.run(threeNodes(), async (nodes) => {
      const leader = await nodes.leader();
      const [other] = nodes.others(leader);
      await other.end("SIGTERM");
      const again = await nodes.replace(other, command);
      nodes.start(again);
      await leader.printed(new RegExp(`Refused a message from .${other.id}.*protocol version 99`));
      await statusSays(
        nodes,
        new RegExp(
          `2 of 3 voters up, survives none(.|\\n)*\\n${other.id} .* it has no leader; ` +
            `${leader.id} refuses its messages: protocol version 99, this node's is 1; it refuses messages of `,
        ),
      );
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

Deno.test("a replaced node that comes back with its old folder says that it was removed", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    const leader = await nodes.leader();
    const [other] = nodes.others(leader);
    await other.end("SIGKILL");
    const members = { endpoints: nodes.others(other).map(({ address }) => address) };
    await raftCommand(members, ["member", "remove", other.id]);
    const fresh = await nodes.make("fresh", ownCommand());
    const named = await nodes.replace(fresh, ownCommand(), { id: other.id });
    nodes.start(named, "--join");
    await eventually("the new node listening", () => named.status());
    await raftCommand(members, ["member", "add", other.id, new URL(named.address).host]);
    nodes.start(other);
    await other.printed(/This node was removed from its cluster/);
    const { stdout } = await raftCommand(members, ["status"]);
    assert.match(stdout, /3 of 3 voters up, survives 1 more failure/);
    assert.ok(!named.output.includes("was removed"), "the node of the same name that took its place was not");
  });
});
