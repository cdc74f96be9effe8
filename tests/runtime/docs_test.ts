/**
 * The programs in README.md and docs/ stand as if beside mod.ts. All of them
 * type-check; those marked `ts run` are run, and print what the `text` block right
 * after them says. Ports from 7200 to 7299 are replaced by free ones.
 */

import assert from "node:assert/strict";
import { ROOT, run } from "../../tools/run.ts";
import { freePort } from "../support/server_processes.ts";
import { emptyFolder, serveProject } from "./file_server.ts";

interface Block {
  /** Where it stands, for messages. */
  readonly place: string;
  /** What follows the opening fence. */
  readonly kind: string;
  readonly text: string;
}

/** The fenced blocks of a file, in order. */
async function blocksOf(path: string): Promise<Block[]> {
  const markdown = await Deno.readTextFile(ROOT + path);
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${path}:${markdown.slice(0, match.index).split("\n").length}`,
    kind: match[1]!.trim(),
    text: match[2]!,
  }));
}

const documents = [
  "README.md",
  ...[...Deno.readDirSync(`${ROOT}docs`)].filter(({ name }) => name.endsWith(".md")).map(({ name }) => `docs/${name}`),
].sort();
const blocks = (await Promise.all(documents.map(blocksOf))).map((ofFile) =>
  ofFile.map((block, at) => ({ ...block, next: ofFile[at + 1] ?? null }))
).flat();
const programs = blocks.filter(({ kind }) => /^ts\b/.test(kind));

/** Writes a program so that what it imports from beside itself comes from `base`, and its ports are free ones. */
async function place(program: Block, base: string, file: string): Promise<string> {
  let text = program.text.replace(/(from\s+|import\()"\.\//g, `$1"${base}`);
  for (const port of new Set(text.match(/\b72\d\d\b/g))) text = text.replaceAll(port, String(await freePort()));
  await Deno.writeTextFile(file, text);
  return file;
}

const PROJECT = new URL("../../", import.meta.url).href;
const CONFIG = ["--quiet", "--config", `${ROOT}deno.json`];

Deno.test("docs: every program type-checks", async () => {
  await using folder = await emptyFolder();
  assert.ok(programs.length > 0);
  const files = await Promise.all(programs.map((program, at) => place(program, PROJECT, `${folder.path}/${at}.ts`)));
  const ran = await run([Deno.execPath(), "check", ...CONFIG, ...files], { quiet: true });
  assert.ok(ran.ok, `${programs.map(({ place }, at) => `${at}.ts is ${place}`).join("\n")}\n${ran.output}`);
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

Deno.test("docs: every link to a file of the project leads to one", async () => {
  for (const path of documents) {
    const folder = new URL(path, PROJECT);
    const markdown = await Deno.readTextFile(ROOT + path);
    for (const [, target = ""] of markdown.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      await assert.doesNotReject(Deno.stat(new URL(target, folder)), `${path} links to ${target}`);
    }
  }
});
