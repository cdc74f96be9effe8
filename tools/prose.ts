/**
 * `deno task prose`: counts the sentences of comments in the project's own code
 * (generated code is left out), and those that begin with Who, What, Whom,
 * Whose, Whoever or Whether, by folder. tools/lint/prose.ts defines a sentence.
 *
 * - `--list`: prints the latter with file and line
 * - `--gate`: fails if there are more than {@linkcode MAX_SHARE} of them
 * - a path, such as `lib/raft/`: counts only these files
 */

import { beginsWithQuestion, type Sentence, sentencesOf } from "./lint/prose.ts";
import { projectFiles, ROOT } from "./run.ts";

/** The share of such sentences that the gate accepts. It was 20 % before the rules in CONTRIBUTING.md. */
const MAX_SHARE = 0.03;

interface Count {
  all: number;
  questions: number;
}

function percent({ all, questions }: Count): string {
  return `${(all === 0 ? 0 : 100 * questions / all).toFixed(1)} %`.padStart(7);
}

async function main(args: readonly string[]): Promise<number> {
  const areas = args.filter((arg) => !arg.startsWith("--"));
  const files = (await projectFiles()).filter((path) =>
    path.endsWith(".ts") && !path.includes("/gen/") &&
    (areas.length === 0 || areas.some((area) => path.startsWith(area)))
  );
  const folders = new Map<string, Count>();
  const total: Count = { all: 0, questions: 0 };
  const found: (Sentence & { readonly path: string })[] = [];
  for (const path of files.sort()) {
    const parts = path.split("/").slice(0, -1);
    const folder = parts.slice(0, ["lib", "tests", "transport"].includes(String(parts[0])) ? 2 : 1).join("/") || ".";
    const count = folders.get(folder) ?? { all: 0, questions: 0 };
    folders.set(folder, count);
    for (const sentence of sentencesOf(await Deno.readTextFile(ROOT + path))) {
      const isQuestion = beginsWithQuestion(sentence.text);
      if (isQuestion) found.push({ ...sentence, path });
      for (const one of [count, total]) {
        one.all++;
        if (isQuestion) one.questions++;
      }
    }
  }
  if (args.includes("--list")) { for (const { path, line, text } of found) console.log(`${path}:${line}: ${text}`); }
  for (const [name, count] of [...folders].sort(([a], [b]) => a < b ? -1 : 1).concat([["total", total]])) {
    console.log(
      `${name.padEnd(24)} ${String(count.questions).padStart(5)} of ${String(count.all).padStart(6)} ${percent(count)}`,
    );
  }
  return args.includes("--gate") && total.questions > MAX_SHARE * total.all ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
