/**
 * `deno task ok`: the gate. Every check runs, even if others fail; `--no-tests`
 * leaves out the tests (the CI runs them by the README's own command).
 */

import { exists, readJson, run } from "./run.ts";

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
}

/** The files that must type-check with DOM libraries alone. */
const PORTABLE = ["lib", "mod.ts", "storage/memory.ts", "storage/indexeddb", "transport/memory.ts"];

/** Returns all checks except the tests. */
function stages(): Stage[] {
  const deno = Deno.execPath();
  const config = readJson("deno.json") as { exports: Record<string, string>; tasks: Record<string, string> };
  const faces = Object.values(config.exports).filter((path) => exists(path));
  return [
    { name: "format", command: [deno, "fmt", "--check"] },
    { name: "lint", command: [deno, "lint", "--quiet"] },
    { name: "imports", command: [deno, "task", "--quiet", "imports"] },
    { name: "types", command: [deno, "check", "--quiet"] },
    {
      name: "types with DOM libraries alone",
      command: [deno, "check", "--quiet", "--no-lock", "--config", "tools/deno.lib.json", ...PORTABLE.filter(exists)],
    },
    { name: "documentation", command: [deno, "doc", "--quiet", "--lint", ...faces] },
    { name: "examples compile", command: [deno, "run", "--allow-all", "tools/examples.ts"] },
    ...("generate:check" in config.tasks
      ? [{ name: "generated code is current", command: [deno, "task", "--quiet", "generate:check"] }]
      : []),
    { name: "bundle for browsers", command: [deno, "task", "--quiet", "build"] },
  ];
}

async function main(args: readonly string[]): Promise<number> {
  const tests = { name: "tests", command: [Deno.execPath(), "task", "--quiet", "test"] };
  const failed: string[] = [];
  for (const { name, command } of [...stages(), ...(args.includes("--no-tests") ? [] : [tests])]) {
    const ran = await run(command, { quiet: name !== "tests", timeoutMs: 20 * 60_000 });
    if (!ran.ok) {
      failed.push(name);
      if (name !== "tests") console.error(ran.output);
    }
    console.log(`${ran.ok ? "ok    " : "FAILED"} ${name} (${ran.seconds.toFixed(1)} s)`);
  }
  console.log(failed.length === 0 ? "all checks passed" : `failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
