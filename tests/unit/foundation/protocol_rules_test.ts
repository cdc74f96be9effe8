import assert from "node:assert/strict";
import { exists, ROOT } from "../../../tools/run.ts";

const DOCUMENT = "docs/protocol_rules.md";

/** One line of the document that names a file: its path, and the functions or tests that follow. */
interface Reference {
  readonly path: string;
  readonly target: string;
  readonly names: readonly string[];
}

/** Returns the references of a document; long lines may be wrapped. */
function references(text: string): Reference[] {
  const items = text.replaceAll(/\n +(?=[^ -])/g, " ").split("\n");
  return items.flatMap((item) => {
    const found = /^\s*- \[`([^`]+)`\]\(\.\.\/([^)]+)\): (.+)$/.exec(item);
    if (found === null) return [];
    const [, path, target, rest] = found;
    const names = [...rest!.matchAll(path!.startsWith("tests/") ? /"([^"]+)"/g : /`([^`]+)`/g)].map(([, name]) =>
      name!
    );
    return [{ path: path!, target: target!, names }];
  });
}

/** Reports whether a source declares a function, method or accessor. */
function declares(source: string, name: string): boolean {
  return new RegExp(`^(export )?(async )?function ${name}\\b|^  (async |get |static )*${name}\\(`, "m").test(source);
}

const found = references(Deno.readTextFileSync(ROOT + DOCUMENT));

Deno.test(`${DOCUMENT}: every file, function and test that it names exists`, () => {
  const missing: string[] = [];
  assert.ok(found.length > 50, `only ${found.length} references`);
  for (const { path, target, names } of found) {
    if (path !== target) missing.push(`${path} links to ${target}`);
    if (!exists(path)) {
      missing.push(path);
      continue;
    }
    if (names.length === 0) missing.push(`${path}: no names`);
    const source = Deno.readTextFileSync(ROOT + path);
    const has = (name: string) => path.startsWith("tests/") ? source.includes(`"${name}"`) : declares(source, name);
    for (const name of names) if (!has(name)) missing.push(`${path}: ${name}`);
  }
  assert.deepEqual(missing, []);
});

Deno.test(`${DOCUMENT}: has the ten numbered rules, each with code and a test`, () => {
  const rules = Deno.readTextFileSync(ROOT + DOCUMENT).split(/^(?=\d+\. \*\*)/m).slice(1);
  assert.deepEqual(rules.map((rule) => Number.parseInt(rule)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const rule of rules) {
    const paths = references(rule).map(({ path }) => path);
    assert.ok(paths.some((path) => path.startsWith("lib/")) && paths.some((path) => path.startsWith("tests/")), rule);
  }
});
