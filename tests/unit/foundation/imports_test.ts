import assert from "node:assert/strict";
import { circles, importsOf, readGraph, violations } from "../../../tools/imports.ts";

/** Writes these files to a temporary folder, and returns the violations of the graph that is read from it. */
async function violationsOf(files: Record<string, string>): Promise<string[]> {
  const root = `${await Deno.makeTempDir()}/`;
  try {
    for (const [path, source] of Object.entries(files)) {
      await Deno.mkdir(root + path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(root + path, source);
    }
    return violations(await readGraph(root, Object.keys(files)));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const CLEAN = {
  "lib/raft/log.ts": 'import type { Entry } from "./types.ts";\nexport const log: Entry[] = [];\n',
  "lib/raft/types.ts": "export interface Entry {\n  readonly term: number;\n}\n",
  "transport/wire/codec.ts": 'import { log } from "../../lib/raft/log.ts";\nexport const size = log.length;\n',
};

Deno.test("a tree whose arrows all point downwards passes", async () => {
  assert.deepEqual(await violationsOf(CLEAN), []);
});

Deno.test("a planted circle is refused, even one of types alone", async () => {
  const types = `import type { log } from "./log.ts";\n${CLEAN["lib/raft/types.ts"]}export type Log = typeof log;\n`;
  assert.deepEqual(await violationsOf({ ...CLEAN, "lib/raft/types.ts": types }), [
    "circle: lib/raft/log.ts → lib/raft/types.ts → lib/raft/log.ts",
  ]);
});

Deno.test("a planted arrow against the floors is refused", async () => {
  const log = `import { size } from "../../transport/packet/calls.ts";\n${CLEAN["lib/raft/log.ts"]}`;
  const found = await violationsOf({
    ...CLEAN,
    "lib/raft/log.ts": log,
    "transport/packet/calls.ts": "export const size = 1;\n",
  });
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(String(found[0]), /^lib\/raft\/log\.ts: .* but not transport\/packet\/calls\.ts$/);
});

Deno.test("each file in a circle is reported once, by its shortest way back", () => {
  const graph = new Map([
    ["a.ts", ["./b.ts"]],
    ["b.ts", ["./c.ts", "./a.ts"]],
    ["c.ts", ["./a.ts", "./d.ts", "node:fs"]],
    ["d.ts", ["./e.ts"]],
    ["e.ts", ["./d.ts"]],
    ["self.ts", ["./self.ts"]],
  ]);
  assert.deepEqual(circles(graph), [["a.ts", "b.ts", "a.ts"], ["c.ts", "a.ts", "b.ts", "c.ts"], [
    "d.ts",
    "e.ts",
    "d.ts",
  ], ["self.ts", "self.ts"]]);
});

Deno.test("each form of an import is found, and none in a comment or a string", () => {
  const source = `import { a } from "./a.ts";
import {
  b,
  type B,
} from "./b.ts";
import type { C } from "./c.ts";
import "./d.ts";
export { e } from "./e.ts";
export type { F } from "./f.ts";
const g = await import("./g.ts");
type H = import("./h.ts").H;
/**
 * import { i } from "./i.ts";
 */
export const j = "import { k } from './k.ts'";
`;
  assert.deepEqual(importsOf(source), ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `./${name}.ts`));
});
