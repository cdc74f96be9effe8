import assert from "node:assert/strict";
import { foreignModules } from "../../tools/build.ts";
import { emptyFolder, serveProject } from "./file_server.ts";

/** Runs Deno in a folder of its own, with a cache of its own, and returns what it printed. */
async function denoIn(folder: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: folder,
    env: { DENO_DIR: `${folder}/.cache`, NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("URL import: mod.ts imports from an empty folder, without an import map or a configuration", async () => {
  await using server = serveProject();
  await using folder = await emptyFolder();
  const program = `import { RaftError } from "${server.url}mod.ts"; console.log(new RaftError("busy", "").code);`;
  await Deno.writeTextFile(`${folder.path}/main.ts`, program);
  assert.equal(
    await denoIn(folder.path, "run", "--no-check", `--allow-import=${new URL(server.url).host}`, "main.ts"),
    "busy",
  );
  assert.ok(
    server.requested.every((path) => path === "mod.ts" || /^(lib\/|storage\/memory|transport\/memory)/.test(path)),
  );
});

Deno.test("URL import: the graph of mod.ts holds no npm or node module", async () => {
  assert.deepEqual(await foreignModules("mod.ts"), []);
});
