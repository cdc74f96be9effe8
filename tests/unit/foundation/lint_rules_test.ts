import assert from "node:assert/strict";
import plugin from "../../../tools/lint/plugin.ts";
import { forbiddenImport, resolve } from "../../../tools/lint/layers.ts";
import { sentencesOf } from "../../../tools/lint/prose.ts";

/** Returns the rules that `source` breaks as the project's file `path`, in order. */
function broken(path: string, source: string): string[] {
  const file = decodeURIComponent(new URL(`../../../${path}`, import.meta.url).pathname);
  return Deno.lint.runPlugin(plugin, file, source).map((found) => found.id);
}

/** Asserts that a statement breaks exactly this rule, once. */
function breaks(rule: string, path: string, source: string): void {
  assert.deepEqual(broken(path, source), [`raft/${rule}`], `${path}: ${source}`);
}

/** Asserts that a statement breaks no rule. */
function passes(path: string, source: string): void {
  assert.deepEqual(broken(path, source), [], `${path}: ${source}`);
}

Deno.test("access to the machine is refused anywhere in lib/ and simulation/", () => {
  const machine = [
    "const a = Date.now();",
    "const a = new Date();",
    "const a = Math.random();",
    "const { random } = Math;",
    "const a = Math['random'];",
    "const { now } = Date;",
    "const a = performance.now();",
    "setTimeout(f, 1);",
    "const later = setTimeout;",
    "setInterval(f, 1);",
    "const o = { setTimeout };",
    "const o = { later: setTimeout };",
    "const o = { [Deno]: 1 };",
    "Deno.exit();",
    "process.exit();",
    "const a = Buffer.from('');",
    "const a = globalThis.Date;",
    "const a = crypto.randomUUID();",
    "const a = Math.sin(1);",
    "const a = AbortSignal.timeout(1);",
    "const a = new WeakRef(o);",
    "const a = x.localeCompare(y);",
    "async function f() { await using a = b; }",
    "type T = Date;",
    "function f(x = Date.now()) {}",
  ];
  for (const source of machine) {
    breaks("portable", "lib/raft/log.ts", source);
    breaks("portable", "lib/node/raft_node.ts", source);
    breaks("portable", "simulation/network.ts", source);
    passes("server/main.ts", source);
    passes("lib/host.ts", source);
  }
});

Deno.test("names of globals are allowed as names of a file's own", () => {
  const harmless = [
    "const a = { process: 1, Date: 2, performance() {} };",
    "const a = host.clock.setTimeout(1);",
    "a.process(); a?.performance;",
    "class A { process() {} setTimeout = 1; #performance = 2; }",
    "interface A { process(): void; readonly performance: number; }",
    "const a = Math.max(1, Math.floor(2));",
    "const self = members[0]; f(self);",
    "function f(process: string, { window }: A) { return process + window; }",
    "import { performance } from './own.ts'; performance();",
    "const a = 'Date' + `process`; // Date, process",
    "queueMicrotask(f); structuredClone(a); new AbortController();",
  ];
  for (const source of harmless) passes("lib/node/raft_node.ts", source);
});

Deno.test("imports must point one way", () => {
  const bad: [string, string][] = [
    ["lib/raft/log.ts", "../bytes.ts"],
    ["lib/raft/log.ts", "../errors.ts"],
    ["lib/raft/log.ts", "../raft/../errors.ts"],
    ["lib/node/raft_node.ts", "../../storage/memory.ts"],
    ["lib/kv/kv.ts", "../../../elsewhere.ts"],
    ["lib/kv/kv.ts", "node:fs"],
    ["lib/kv/kv.ts", "hono"],
    ["lib/kv/kv.ts", "https://example.com/a.ts"],
    ["storage/memory.ts", "../transport/memory.ts"],
    ["storage/file/wal.ts", "node:fs"],
    ["transport/memory.ts", "@bufbuild/protobuf"],
    ["transport/wire/codec.ts", "../packet/calls.ts"],
    ["transport/wire/codec.ts", "../connect/peer_connection.ts"],
    ["transport/packet/calls.ts", "../tab/frame.ts"],
    ["transport/tab/frame.ts", "../connect/mod.ts"],
    ["transport/tab/frame.ts", "../relay/slots.ts"],
    ["transport/relay/slots.ts", "../tab/frame.ts"],
    ["transport/relay/slots.ts", "../connect/peer_connection.ts"],
    ["transport/connect/peer_connection.ts", "../relay/slots.ts"],
    ["transport/memory.ts", "./wire/codec.ts"],
    ["transport/wire/codec.ts", "@connectrpc/connect"],
    ["transport/connect/client.ts", "../../server/app.ts"],
    ["transport/connect/client.ts", "../../storage/memory.ts"],
    ["server/app.ts", "../simulation/mod.ts"],
    ["server/app.ts", "../browser/mod.ts"],
    ["hosting/admin.ts", "../server/options.ts"],
    ["hosting/admin.ts", "../storage/memory.ts"],
    ["browser/worker.ts", "../server/server.ts"],
    ["browser/worker.ts", "@connectrpc/connect"],
    ["server/app.ts", "../tests/support/x.ts"],
    ["simulation/mod.ts", "node:fs"],
    ["simulation/mod.ts", "../server/app.ts"],
    ["mod.ts", "./storage/file/mod.ts"],
    ["mod.ts", "./transport/connect/mod.ts"],
    ["mod.ts", "npm:hono"],
  ];
  for (const [file, specifier] of bad) {
    breaks("layers", file, `import { a } from "${specifier}";`);
    breaks("layers", file, `import type { A } from "${specifier}";`);
    breaks("layers", file, `export { a } from "${specifier}";`);
    breaks("layers", file, `const a = await import("${specifier}");`);
    breaks("layers", file, `type A = import("${specifier}").A;`);
  }
  breaks("layers", "lib/kv/kv.ts", "const a = await import(name);");
});

Deno.test("allowed imports pass", () => {
  const good: [string, string][] = [
    ["lib/raft/raft.ts", "./types.ts"],
    ["lib/node/raft_node.ts", "../raft/types.ts"],
    ["storage/memory.ts", "../lib/storage.ts"],
    ["storage/file/node_file_system.ts", "node:fs"],
    ["transport/connect/client.ts", "@connectrpc/connect"],
    ["transport/connect/client.ts", "../../lib/transport.ts"],
    ["transport/packet/calls.ts", "../wire/codec.ts"],
    ["transport/connect/peer_connection.ts", "../wire/codec.ts"],
    ["transport/relay/slots.ts", "../packet/calls.ts"],
    ["transport/relay/relay_service.ts", "../connect/rpc_types.ts"],
    ["server/app.ts", "hono"],
    ["server/app.ts", "../transport/connect/mod.ts"],
    ["server/app.ts", "../hosting/admin.ts"],
    ["browser/worker.ts", "../hosting/admin.ts"],
    ["simulation/mod.ts", "../storage/file/mod.ts"],
    ["mod.ts", "./lib/errors.ts"],
    ["mod.ts", "./transport/memory.ts"],
    ["tests/unit/x_test.ts", "node:assert/strict"],
    ["examples/counter.ts", "../mod.ts"],
  ];
  for (const [file, specifier] of good) passes(file, `import { a } from "${specifier}";`);
  assert.equal(resolve("lib/kv/kv.ts", "../raft/./types.ts"), "lib/raft/types.ts");
  assert.equal(resolve("mod.ts", "hono"), null);
  assert.match(String(forbiddenImport("mod.ts", "../x.ts")), /but not \.\.\//);
});

Deno.test("a face lists its names, and privacy is #", () => {
  breaks("explicit-exports", "server/mod.ts", 'export * from "./app.ts";');
  breaks("explicit-exports", "server/mod.ts", 'export * as app from "./app.ts";');
  passes("server/mod.ts", 'export { app } from "./app.ts";');
  breaks("hash-private", "server/a.ts", "class A { private a = 1; }");
  breaks("hash-private", "server/a.ts", "class A { protected a(): void {} }");
  passes("server/a.ts", "class A { private constructor() {} }");
  passes("server/a.ts", "class A { #a = 1; a(): void {} }");
});

Deno.test("a sentence of a comment begins with a verb or a noun", () => {
  const bad = [
    "/** Who asks is told. */\nexport const a = 1;",
    "// Whoever asks, waits.\nf();",
    "/**\n * Returns the reader.\n * Whose it is, the caller says.\n */\nexport const a = 1;",
    "/** A field. What is in it, nobody knows. */\nexport const a = 1;",
    "f(); // Told of each change.",
    "/** @param a What was asked */\nexport const a = 1;",
    "/** @returns whether it is so */\nexport const a = 1;",
    "/** `What` follows. */\nexport const a = 1;",
  ];
  for (const source of bad) breaks("prose", "server/a.ts", source);
  const good = [
    "/** Reports who leads. */\nexport const a = 1;",
    "/** Whole numbers, whatever comes. */\nexport const a = 1;",
    "/** Whatever it is. */\nexport const a = 1;",
    "const a = `${b}; // Who`;",
    "const a = 'Who is it?';",
    "/**\n * ```\n * Who\n * ```\n */\nexport const a = 1;",
  ];
  for (const source of good) passes("server/a.ts", source);
});

Deno.test("each sentence of a comment has its own line, and ends at its full stop", () => {
  const source = `// First, e.g. this one. Second (§5.4.2) one!
// Third
// goes on.
/**
 * - an item
 * @returns the \`result\`. See above.
 */
f(); // A last one.
g(/* One more. */ \`// none\`);
`;
  const found: string[] = [];
  const create = ({ sourceCode }: Deno.lint.RuleContext): Deno.lint.LintVisitor => ({
    Program: () => void found.push(...sentencesOf(sourceCode).map(({ line, text }) => `${line}: ${text}`)),
  });
  Deno.lint.runPlugin({ name: "sentences", rules: { all: { create } } }, "a.ts", source);
  assert.deepEqual(found, [
    "1: First, e.g. this one.",
    "1: Second (§5.4.2) one!",
    "2: Third goes on.",
    "5: an item",
    "6: the `result`.",
    "6: See above.",
    "8: A last one.",
    "9: One more.",
  ]);
});

Deno.test("error messages are in lower case, and no sentences", () => {
  const bad = [
    'throw new RaftError("busy", "The node is busy");',
    "throw new RaftError(code, `the node ${id} is busy.`);",
    'throw new StorageError("Reading failed", { disk });',
  ];
  for (const source of bad) breaks("error-messages", "server/a.ts", source);
  const good = [
    'throw new RaftError("busy", "the node is busy", { hint: "Wait for it." });',
    "throw new StorageError(`${path} is damaged`, { disk });",
    'throw new RaftError("busy", "AppendEntries is under way");',
    'throw new RaftError("unsupported", "Deno can\'t do that");',
    'throw new TypeError("Another class.");',
    "throw new RaftError(code, message);",
  ];
  for (const source of good) passes("server/a.ts", source);
});
