/**
 * `deno task prose`: counts the sentences of comments in the project's own code
 * (generated code is left out), and those that begin with Who, What, Whom,
 * Whose, Whoever or Whether, by folder. tools/lint/prose.ts defines a sentence.
 *
 * - `--list`: prints the latter with file and line
 * - `--gate`: fails if there are more than {@linkcode MAX_SHARE} of them
 * - a path, such as `lib/raft/`: counts only these files
 */

import { beginsWithQuestion, sentencesOf } from "./lint/prose.ts";
import { ROOT, sourceFiles } from "./run.ts";

/** The share of such sentences that the gate accepts. It was 20 % before the rules in CONTRIBUTING.md. */
const MAX_SHARE = 0.03;

/** Returns the folder that a file counts for. */
function folderOf(path: string): string {
  const parts = path.split("/").slice(0, -1);
  return parts.slice(0, ["lib", "tests", "transport"].includes(String(parts[0])) ? 2 : 1).join("/") || ".";
}

async function main(args: readonly string[]): Promise<number> {
  const areas = args.filter((arg) => !arg.startsWith("--"));
  const files = (await sourceFiles()).filter((path) =>
    areas.length === 0 || areas.some((area) => path.startsWith(area))
  );
  const read = async (path: string) =>
    sentencesOf(await Deno.readTextFile(ROOT + path)).map((each) => ({ ...each, path }));
  const sentences = (await Promise.all(files.sort().map(read))).flat();
  const questions = sentences.filter(({ text }) => beginsWithQuestion(text));
  if (args.includes("--list")) {
    for (const { path, line, text } of questions) {
      console.log(`${path}:${line}: ${text}`);
    }
  }
  const print = (name: string, part: number, all: number): void =>
    console.log(
      `${name.padEnd(24)} ${String(part).padStart(5)} of ${String(all).padStart(6)} ` +
        `${(all === 0 ? 0 : 100 * part / all).toFixed(1)} %`.padStart(7),
    );
  for (const [name, { length }] of Map.groupBy(sentences, ({ path }) => folderOf(path))) {
    print(name, questions.filter(({ path }) => folderOf(path) === name).length, length);
  }
  print("total", questions.length, sentences.length);
  return args.includes("--gate") && questions.length > MAX_SHARE * sentences.length ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
