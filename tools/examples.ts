/**
 * `deno task examples`: type-checks every program in README.md, in docs/ and in doc
 * comments. A program is a block that begins with ```` ```ts ````. It is written as
 * if it stood next to mod.ts; no other fence excludes it from the check.
 */

import { projectFiles, ROOT, run, sourceFiles } from "./run.ts";

/** A fenced block of a document or doc comment. */
export interface Block {
  /** Its file and line, for messages. */
  readonly place: string;
  /** The text behind the opening fence. */
  readonly kind: string;
  readonly text: string;
}

/** Returns the fenced blocks of a file, in order; those of a source are in its doc comments. */
export async function blocksOf(path: string): Promise<Block[]> {
  const source = await Deno.readTextFile(ROOT + path);
  const fence = path.endsWith(".md") ? /^```(.*)\n([\s\S]*?)^```$/gm : /^ *\* ```(.*)\n([\s\S]*?)^ *\* ```$/gm;
  return [...source.matchAll(fence)].map((match) => ({
    place: `${path}:${source.slice(0, match.index).split("\n").length}`,
    kind: match[1]!.trim(),
    text: path.endsWith(".md") ? match[2]! : match[2]!.replace(/^ *\* ?/gm, ""),
  }));
}

/** Returns the documents of the project, sorted. */
export async function documents(): Promise<string[]> {
  return (await projectFiles()).filter((path) => /^[^/]+\.md$|^docs\/.*\.md$|\/README\.md$/.test(path)).sort();
}

/** Reports whether the block is a program in TypeScript. */
export function isProgram({ kind }: Block): boolean {
  return /^ts\b/.test(kind);
}

/** Returns the text of a program whose imports from next to it come from `base`, a URL with a slash at its end. */
export function importingFrom(base: string, text: string): string {
  return text.replace(/(from\s+|import\()"\.\//g, `$1"${base}`);
}

/** Type-checks `programs` and returns the errors of the compiler; `null` if there are none. */
export async function typeErrors(programs: readonly Block[]): Promise<string | null> {
  const folder = await Deno.makeTempDir({ prefix: "raft-core-" });
  try {
    const files = programs.map((_, at) => `${folder}/${at}.ts`);
    const base = `file://${ROOT}`;
    await Promise.all(programs.map(({ text }, at) => Deno.writeTextFile(files[at]!, importingFrom(base, text))));
    const ran = await run([Deno.execPath(), "check", "--quiet", "--config", `${ROOT}deno.json`, ...files], {
      quiet: true,
    });
    const placed = ran.output.replaceAll(/file:\S*\/(\d+)\.ts\b/g, (file, at) => programs[Number(at)]?.place ?? file);
    return ran.ok ? null : placed;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  const blocks = (await Promise.all([...await documents(), ...await sourceFiles()].map(blocksOf))).flat();
  const programs = blocks.filter(isProgram);
  const odd = programs.filter(({ kind }) => kind !== "ts" && kind !== "ts run");
  for (const { place, kind } of odd) console.error(`${place}: a program is \`ts\` or \`ts run\`, not \`${kind}\``);
  const errors = await typeErrors(programs);
  if (errors !== null) console.error(errors);
  else if (odd.length === 0) console.log(`${programs.length} programs type-check`);
  return odd.length === 0 && errors === null ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
