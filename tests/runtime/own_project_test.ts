/** All ways in which docs/embedding.md imports the library from another project. */

import assert from "node:assert/strict";
import { ROOT, run } from "../../tools/run.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { emptyFolder } from "./file_server.ts";

const files: Record<string, string> = { "": "mod.ts" };
for (const part of ["server", "storage/file", "transport/connect"]) files[`/${part}`] = `${part}/mod.ts`;

/** Returns a program that imports everything, and checks a name of each module. */
function program(specifier: (path: string) => string): string {
  return `
    import { Coordinator } from "${specifier("")}";
    import { startServer } from "${specifier("/server")}";
    import { createFileStorage } from "${specifier("/storage/file")}";
    import { createConnectClientTransport } from "${specifier("/transport/connect")}";
    console.log([Coordinator, startServer, createFileStorage, createConnectClientTransport].every((it) => it instanceof Function));
  `;
}

async function prints(cwd: string, command: readonly string[]): Promise<void> {
  const ran = await run(command, { cwd, env: { NO_COLOR: "1" }, quiet: true, timeoutMs: 60_000 });
  assert.ok(ran.ok && !ran.timedOut, ran.output);
  assert.equal(ran.output.trim().split("\n").at(-1), "true", ran.output);
}

const byPath = program((path) => `${ROOT}${files[path]}`);
const deno = [Deno.execPath(), "run", "--no-check", "--allow-all"];

Deno.test("own project: Deno, by path, with an import map named in its deno.json or on the command line", async () => {
  await using folder = await emptyFolder();
  await Deno.writeTextFile(`${folder.path}/main.ts`, byPath);
  await prints(folder.path, [...deno, `--import-map=${ROOT}deno.json`, "main.ts"]);
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify({ importMap: `${ROOT}deno.json` }));
  await prints(folder.path, [...deno, "main.ts"]);
});

Deno.test("own project: Deno, as a linked package", async () => {
  await using folder = await emptyFolder();
  const name = "@raft-core/raft-core";
  const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const config = { links: [ROOT], imports: { [name]: `jsr:${name}@${version}` } };
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${folder.path}/main.ts`, program((path) => name + path));
  await prints(folder.path, [...deno, "main.ts"]);
});

Deno.test("own project: Node and Bun, by path and as a linked package", async () => {
  await using folder = await emptyFolder();
  await Deno.writeTextFile(`${folder.path}/package.json`, JSON.stringify({ type: "module" }));
  await Deno.mkdir(`${folder.path}/node_modules`);
  // The same link as that of `npm install FOLDER`.
  await Deno.symlink(ROOT, `${folder.path}/node_modules/raft-core`);
  await Deno.writeTextFile(`${folder.path}/path.ts`, byPath);
  await Deno.writeTextFile(`${folder.path}/package.ts`, program((path) => `raft-core${path}`));
  const { node, bun } = await runtimes();
  for (const runtime of [node, bun]) {
    await prints(folder.path, [runtime, "path.ts"]);
    await prints(folder.path, [runtime, "package.ts"]);
  }
});
