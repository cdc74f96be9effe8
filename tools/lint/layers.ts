/**
 * Which part of the project may import which. Dependencies point one way:
 * browser-demo → browser, server → hosting → transport, storage → lib; simulation → transport, storage → lib.
 */

/** What a file may import: the prefixes of project paths, and of bare specifiers. */
interface Layer {
  /** The files it holds for: exact path, a folder ending in a slash, or how a name begins, ending in `_`. */
  readonly files: string;
  readonly may: readonly string[];
  /** Bare specifiers: `*` for any. */
  readonly bare: readonly string[];
}

/** The first layer that a file is in holds. Files in none (tests, tools, examples, bench) import what they like. */
const LAYERS: readonly Layer[] = [
  { files: "lib/raft/", may: ["lib/raft/"], bare: [] },
  { files: "lib/", may: ["lib/"], bare: [] },
  { files: "storage/memory.ts", may: ["lib/", "storage/"], bare: [] },
  { files: "storage/file/node_", may: ["lib/", "storage/"], bare: ["node:"] },
  { files: "storage/indexeddb/", may: ["lib/", "storage/"], bare: ["idb-keyval"] },
  { files: "storage/", may: ["lib/", "storage/"], bare: [] },
  { files: "transport/memory.ts", may: ["lib/", "transport/"], bare: [] },
  { files: "transport/conformance.ts", may: ["lib/", "transport/"], bare: [] },
  { files: "transport/", may: ["lib/", "transport/"], bare: ["*"] },
  { files: "simulation/", may: ["lib/", "storage/", "transport/", "simulation/"], bare: ["@bufbuild/protobuf"] },
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

/** Whether `path` is `area`, or lies in it, or begins so. */
export function isIn(path: string, area: string): boolean {
  return /[/_]$/.test(area) ? path.startsWith(area) : path === area;
}

/** The path of `specifier` in the project, as `file` (a project path) imports it; `null` if it is bare or a URL. */
export function resolve(file: string, specifier: string): string | null {
  if (!specifier.startsWith("./") && !specifier.startsWith("../")) return null;
  const parts = file.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return `../${specifier}`;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Why `file` may not import `specifier`; `null` if it may. Paths are the project's, with slashes. */
export function forbiddenImport(file: string, specifier: string): string | null {
  const layer = LAYERS.find((layer) => isIn(file, layer.files));
  if (layer === undefined) return null;
  const path = resolve(file, specifier);
  if (path === null) {
    const allowed = layer.bare.some((bare) => bare === "*" || specifier.startsWith(bare));
    return allowed ? null : `${layer.files} imports no "${specifier}"`;
  }
  if (layer.may.some((area) => isIn(path, area))) return null;
  return `${layer.files} imports from ${layer.may.join(", ")} alone, not ${path}`;
}
