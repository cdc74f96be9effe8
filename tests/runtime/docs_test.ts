/**
 * The programs in the documents are written as if they stood next to mod.ts.
 * `deno task examples` type-checks all of them; those marked `ts run` are run here,
 * and print the `text` block right after them. Ports from 7200 to 7299 are replaced
 * by free ones.
 */

import assert from "node:assert/strict";
import { type Block, blocksOf, documents, importingFrom, isProgram, typeErrors } from "../../tools/examples.ts";
import { projectFiles, ROOT, run } from "../../tools/run.ts";
import { freePort } from "../support/server_processes.ts";
import { emptyFolder, serveProject } from "./file_server.ts";

const paths = await documents();
const blocks = (await Promise.all(paths.map(blocksOf))).map((ofFile) =>
  ofFile.map((block, at) => ({ ...block, next: ofFile[at + 1] ?? null }))
).flat();
const programs = blocks.filter(isProgram);

/** Writes a program whose imports from next to it come from `base`, and whose ports are free ones. */
async function place(program: Block, base: string, file: string): Promise<string> {
  let text = importingFrom(base, program.text);
  for (const port of new Set(text.match(/\b72\d\d\b/g))) text = text.replaceAll(port, String(await freePort()));
  await Deno.writeTextFile(file, text);
  return file;
}

/** Names that stand for others, or that a decision gives up. */
const NOT_THERE = new Set(["service/", "host/", "tests/browser/some_page.ts"]);

const PROJECT = new URL("../../", import.meta.url).href;
const CONFIG = ["--quiet", "--config", `${ROOT}deno.json`];

Deno.test("docs: a program with a type error is noticed, with its place", async () => {
  const text = 'import { Coordinator } from "./mod.ts";\nnew Coordinator();\n';
  assert.match(await typeErrors([{ place: "docs/some.md:7", kind: "ts", text }]) ?? "", /at docs\/some.md:7/);
});

for (const program of programs.filter(({ kind }) => kind === "ts run")) {
  Deno.test(`docs: the program at ${program.place} runs`, async () => {
    await using folder = await emptyFolder();
    const file = await place(program, PROJECT, `${folder.path}/main.ts`);
    const ran = await run([Deno.execPath(), "run", "--allow-all", "--no-check", ...CONFIG, file], {
      cwd: folder.path,
      env: { NO_COLOR: "1" },
      quiet: true,
      timeoutMs: 60_000,
    });
    assert.ok(ran.ok && !ran.timedOut, ran.output);
    if (program.next?.kind === "text") assert.equal(ran.output.trim(), program.next.text.trim());
  });
}

Deno.test("docs: three nodes in parts take at most 40 lines", () => {
  const parts = programs.find(({ place, text }) =>
    place.startsWith("docs/embedding.md:") && text.includes("serveRaft(")
  );
  assert.ok(parts !== undefined && parts.kind === "ts run");
  assert.ok(parts.text.trimEnd().split("\n").length <= 40);
});

Deno.test("docs: README's first program is five lines, and runs from a URL without an import map", async () => {
  await using server = serveProject();
  await using folder = await emptyFolder();
  const program = programs.find(({ place }) => place.startsWith("README.md:"));
  assert.ok(program !== undefined);
  const code = program.text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("import "));
  assert.ok(code.length <= 5, code.join("\n"));
  const file = await place(program, server.url, `${folder.path}/main.ts`);
  const ran = await run([
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    `--allow-import=${new URL(server.url).host}`,
    file,
  ], {
    cwd: folder.path,
    env: { NO_COLOR: "1", DENO_DIR: `${folder.path}/.cache` },
    quiet: true,
    timeoutMs: 60_000,
  });
  assert.ok(ran.ok && !ran.timedOut, ran.output);
  assert.equal(ran.output.trim(), program.next?.text.trim());
});

Deno.test("docs: every link leads to a file of the project, and to a heading in it", async () => {
  const anchorsOf = async (path: string) =>
    [...(await Deno.readTextFile(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
    );
  for (const path of paths) {
    const folder = new URL(path, PROJECT);
    for (const [, target = ""] of (await Deno.readTextFile(ROOT + path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const url = file === "" ? folder : new URL(file, folder);
      await assert.doesNotReject(Deno.stat(url), `${path} links to ${target}`);
      if (anchor !== undefined) {
        assert.ok((await anchorsOf(decodeURIComponent(url.pathname))).includes(anchor), `${path} links to ${target}`);
      }
    }
  }
});

Deno.test("docs: every file and folder of the project that they name exists", async () => {
  const files = (await projectFiles()).map((file) => `/${file}`);
  const missing: string[] = [];
  for (const path of paths) {
    const text = (await Deno.readTextFile(ROOT + path)).replace(/^```[\s\S]*?^```$/gm, "");
    for (const [, name = ""] of text.matchAll(/`([a-z_-]+(?:\/[\w.-]+)*(?:\/|\.ts))`/g)) {
      const isThere = files.some((file) => file.includes(`/${name}`));
      if (!isThere && !NOT_THERE.has(name)) missing.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test("docs: every identifier that they name occurs in the source", async () => {
  // Names made up as examples, names that the code assembles, and one of Deno's.
  const words = new Set(["createX", "startX", "keyBase64", "valueBase64", "importMap"]);
  const sources = (await projectFiles()).filter((path) => /\.(ts|html|proto)$|^deno\.json$/.test(path));
  for (const path of sources) {
    if (path === "tests/runtime/docs_test.ts") continue;
    for (const word of (await Deno.readTextFile(ROOT + path)).match(/\w+/g) ?? []) words.add(word);
  }
  const missing: string[] = [];
  for (const path of paths) {
    const text = (await Deno.readTextFile(ROOT + path)).replace(/^```[\s\S]*?^```$/gm, "");
    for (const [, code = ""] of text.matchAll(/`([^`\n]+)`/g)) {
      const names = code.match(/\b(?:[A-Z][a-z]+[A-Za-z]*|[a-z]+[A-Z]\w*)\b/g) ?? [];
      missing.push(...names.filter((name) => !words.has(name)).map((name) => `${path}: ${name}`));
    }
  }
  assert.deepEqual(missing, []);
});
