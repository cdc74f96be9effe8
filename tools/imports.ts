/**
 * `deno task imports`: checks how the files of the project import each other.
 * No file may import itself, directly or through others (imports of types count),
 * and each import must be one that tools/lint/layers.ts allows.
 */

import { forbiddenImport, resolve } from "./lint/layers.ts";
import { ROOT, sourceFiles } from "./run.ts";

/** The files of a project, and the specifiers that each of them imports. */
export type Graph = ReadonlyMap<string, readonly string[]>;

const IMPORT = /^(?:import|export)\b[^;"'`]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

/** Returns the specifiers in a source text, dynamic imports included. */
export function importsOf(source: string): string[] {
  const found = source.matchAll(IMPORT);
  return [...new Set([...found].map(([, from, bare, dynamic]) => String(from ?? bare ?? dynamic)))];
}

/**
 * Finds circles of imports, each as a path from a file back to itself: the shortest
 * one for each file that no earlier circle contains.
 */
export function circles(graph: Graph): string[][] {
  const next = (file: string): string[] =>
    (graph.get(file) ?? []).map((specifier) => resolve(file, specifier)).filter((path) => path !== null);
  const seen = new Set<string>();
  const found: string[][] = [];
  for (const file of graph.keys()) {
    if (seen.has(file)) continue;
    const circle = wayBack(file, next);
    if (circle === null) continue;
    found.push(circle);
    for (const path of circle) seen.add(path);
  }
  return found;
}

/** Returns the shortest path from a file back to itself; `null` if there is none. */
function wayBack(file: string, next: (file: string) => string[]): string[] | null {
  const ways = [[file]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const path of next(String(way.at(-1)))) {
      if (path === file) return [...way, file];
      if (seen.has(path)) continue;
      seen.add(path);
      ways.push([...way, path]);
    }
  }
  return null;
}

/** Returns one line for each circle, and for each import against the layers. */
export function violations(graph: Graph): string[] {
  const upward = [...graph].flatMap(([file, specifiers]) =>
    specifiers.flatMap((specifier) => {
      const message = forbiddenImport(file, specifier);
      return message === null ? [] : [`${file}: ${message}`];
    })
  );
  return [...circles(graph).map((circle) => `circle: ${circle.join(" → ")}`), ...upward];
}

/** Reads the graph of TypeScript files below `root`, a path that ends in a slash. */
export async function readGraph(root: string, files: readonly string[]): Promise<Graph> {
  const read = async (file: string) => [file, importsOf(await Deno.readTextFile(root + file))] as const;
  return new Map(await Promise.all(files.map(read)));
}

if (import.meta.main) {
  const found = violations(await readGraph(ROOT, await sourceFiles()));
  for (const line of found) console.error(line);
  Deno.exit(found.length === 0 ? 0 : 1);
}
