import assert from "node:assert/strict";
import { ROOT, run } from "../../../tools/run.ts";
import { countDeno, countPortable } from "../../../tools/test.ts";
import { foreignModules } from "../../../tools/build.ts";
import { type Case, runSuites } from "../../runtime/portable.ts";

/** Calls `body` with a new folder, which is removed afterwards. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the count of a run of deno test is read from its last line", () => {
  assert.deepEqual(countDeno("noise\n\nok | 12 passed | 0 failed (33ms)\n"), { passed: 12, failed: 0 });
  assert.deepEqual(countDeno("FAILED | 3 passed (10 steps) | 2 failed (1 step) (1s)\n\nerror: Test failed"), {
    passed: 3,
    failed: 2,
  });
  assert.equal(countDeno("error: Module not found"), null);
});

Deno.test("an ignored test counts as failed", () => {
  assert.deepEqual(countDeno("ok | 5 passed | 0 failed | 1 ignored (1s)"), { passed: 5, failed: 1 });
});

Deno.test("the count of the portable suites stands alone on its line", () => {
  assert.deepEqual(countPortable("ok smoke\n7 passed, 1 failed\n"), { passed: 7, failed: 1 });
  assert.equal(countPortable("it said: 7 passed, 1 failed, and more"), null);
});

Deno.test("a portable suite continues after a failure, and counts it", async () => {
  const lines: string[] = [];
  const fails: Case = { name: "fails", run: () => Promise.reject(new Error("on purpose")) };
  const failed = await runSuites(
    [{ name: "s", cases: [{ name: "a", run() {} }, fails, { name: "b", run() {} }] }],
    (line) => lines.push(line),
  );
  assert.equal(failed, 1);
  assert.match(String(lines[0]), /FAILED s: fails[^]*on purpose/);
  assert.equal(lines.at(-1), "2 passed, 1 failed");
});

Deno.test("the check with only DOM libraries refuses Deno, Node and Bun", async () => {
  await inFolder(async (folder) => {
    const names = ["Deno", "process", "Buffer", "Bun"];
    await Deno.writeTextFile(
      `${folder}/bad.ts`,
      names.map((name) => `export const a${name}: unknown = ${name};\n`).join(""),
    );
    await Deno.writeTextFile(`${folder}/good.ts`, "export const a: AbortSignal = new AbortController().signal;\n");
    const check = (file: string) =>
      run([Deno.execPath(), "check", "--no-lock", "--config", `${ROOT}tools/deno.lib.json`, `${folder}/${file}`], {
        quiet: true,
      });
    const [bad, good] = await Promise.all([check("bad.ts"), check("good.ts")]);
    assert.equal(bad.ok, false);
    for (const name of names) assert.match(bad.output, new RegExp(`Cannot find name '${name}'`));
    assert.ok(good.ok, good.output);
  });
});

Deno.test("a package in a module's graph is noticed", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/b.ts`, 'export { readFile } from "node:fs";\n');
    await Deno.writeTextFile(`${folder}/a.ts`, 'export { readFile } from "./b.ts";\n');
    assert.deepEqual(await foreignModules(`${folder}/a.ts`), ["node:fs"]);
    await Deno.writeTextFile(`${folder}/b.ts`, "export const readFile = 1;\n");
    assert.deepEqual(await foreignModules(`${folder}/a.ts`), []);
    await Deno.remove(`${folder}/b.ts`);
    assert.equal((await foreignModules(`${folder}/a.ts`)).length, 1);
  });
});

Deno.test("a program that takes too long is killed", async () => {
  const ran = await run([Deno.execPath(), "eval", "setInterval(() => {}, 1000)"], { quiet: true, timeoutMs: 300 });
  assert.deepEqual([ran.ok, ran.timedOut], [false, true]);
});
