/**
 * The imports allowed to each part of the project. Dependencies point one way:
 * browser-demo → browser, server, simulation → hosting → transport, storage → lib.
 * Within transport: connect, tab, relay → packet → wire.
 */

import { posix } from "node:path";

/** The imports allowed to some files. */
interface Layer {
  /** The files: an exact path, a folder with a slash at its end, or the beginning of names with a `_` at its end. */
  readonly files: string;
  /** Paths of the project, written like `files`. */
  readonly may: readonly string[];
  /** The beginnings of bare specifiers; `*` for any. */
  readonly bare: readonly string[];
}

/** The first layer that matches a file applies. Files that none matches (tests, tools, examples, bench) are free. */
const LAYERS: readonly Layer[] = [
  { files: "lib/raft/", may: ["lib/raft/"], bare: [] },
  { files: "lib/", may: ["lib/"], bare: [] },
  { files: "storage/memory.ts", may: ["lib/", "storage/"], bare: [] },
  { files: "storage/file/node_", may: ["lib/", "storage/"], bare: ["node:"] },
  { files: "storage/indexeddb/", may: ["lib/", "storage/"], bare: ["idb-keyval"] },
  { files: "storage/", may: ["lib/", "storage/"], bare: [] },
  { files: "transport/wire/generate.ts", may: ["transport/wire/"], bare: ["@bufbuild/", "node:"] },
  {
    files: "transport/wire/connect_errors.ts",
    may: ["lib/", "transport/wire/"],
    bare: ["@bufbuild/protobuf", "@connectrpc/connect"],
  },
  { files: "transport/wire/", may: ["lib/", "transport/wire/"], bare: ["@bufbuild/protobuf"] },
  {
    files: "transport/packet/",
    may: ["lib/", "transport/wire/", "transport/packet/"],
    bare: ["@bufbuild/protobuf"],
  },
  {
    files: "transport/connect/",
    may: ["lib/", "transport/wire/", "transport/packet/", "transport/connect/"],
    bare: ["@bufbuild/protobuf", "@connectrpc/", "node:"],
  },
  { files: "transport/tab/", may: ["lib/", "transport/wire/", "transport/packet/", "transport/tab/"], bare: [] },
  {
    files: "transport/relay/",
    may: ["lib/", "transport/wire/", "transport/packet/", "transport/relay/", "transport/connect/rpc_types.ts"],
    bare: ["@bufbuild/protobuf", "@connectrpc/"],
  },
  { files: "transport/", may: ["lib/"], bare: [] },
  {
    files: "simulation/",
    may: ["lib/", "storage/", "transport/", "hosting/", "simulation/"],
    bare: ["@bufbuild/protobuf"],
  },
  { files: "hosting/", may: ["lib/", "transport/", "hosting/"], bare: [] },
  { files: "server/", may: ["lib/", "storage/", "transport/", "hosting/", "server/", "deno.json"], bare: ["*"] },
  { files: "browser/", may: ["lib/", "storage/", "transport/", "hosting/", "browser/"], bare: [] },
  {
    files: "browser-demo/",
    may: ["mod.ts", "lib/", "storage/", "transport/", "simulation/", "browser/", "browser-demo/"],
    bare: ["*"],
  },
  { files: "mod.ts", may: ["lib/", "storage/memory.ts", "transport/memory.ts"], bare: [] },
  { files: "conformance.ts", may: ["storage/conformance.ts", "transport/conformance.ts"], bare: [] },
];

/** Reports whether `path` belongs to `area`, which is written like {@linkcode Layer.files}. */
export function isIn(path: string, area: string): boolean {
  return /[/_]$/.test(area) ? path.startsWith(area) : path === area;
}

/** Returns the project path of a `specifier` that `file` imports; `null` for a bare specifier or a URL. */
export function resolve(file: string, specifier: string): string | null {
  if (!specifier.startsWith("./") && !specifier.startsWith("../")) return null;
  return posix.join(posix.dirname(file), specifier);
}

/** Returns the reason why `file` (a project path) may not import `specifier`; `null` if it may. */
export function forbiddenImport(file: string, specifier: string): string | null {
  const layer = LAYERS.find((layer) => isIn(file, layer.files));
  if (layer === undefined) return null;
  const path = resolve(file, specifier);
  if (path === null) {
    const allowed = layer.bare.some((bare) => bare === "*" || specifier.startsWith(bare));
    return allowed ? null : `${layer.files} must not import "${specifier}"`;
  }
  if (layer.may.some((area) => isIn(path, area))) return null;
  return `${layer.files} may import from ${layer.may.join(", ")}, but not ${path}`;
}
