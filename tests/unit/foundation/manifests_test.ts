import assert from "node:assert/strict";
import { readJson } from "../../../tools/run.ts";

interface DenoJson {
  readonly version: string;
  readonly license: string;
  readonly exports: Record<string, string>;
  readonly imports: Record<string, string>;
  readonly compilerOptions: Record<string, unknown>;
}

interface PackageJson {
  readonly version: string;
  readonly license: string;
  readonly exports: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

const deno = readJson("deno.json") as DenoJson;
const npm = readJson("package.json") as PackageJson;

/** Returns the packages that deno.json imports, each with its one version. */
function imported(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const target of Object.values(deno.imports)) {
    const found = /^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)\/?$/.exec(target);
    assert.ok(found, `not an exact npm version: ${target}`);
    const [, name = "", version = ""] = found;
    assert.equal(versions[name] ?? version, version, `two versions of ${name}`);
    versions[name] = version;
  }
  return versions;
}

/** Sorts versions by name. */
function sorted(versions: Record<string, string>): [string, string][] {
  return Object.entries(versions).sort(([a], [b]) => a < b ? -1 : 1);
}

Deno.test("deno.json and package.json name the same packages in the same versions", () => {
  assert.deepEqual(sorted({ ...npm.dependencies, ...npm.devDependencies }), sorted(imported()));
});

Deno.test("manifests name the same version, licence and exports", () => {
  assert.equal(npm.version, deno.version);
  assert.equal(npm.license, deno.license);
  assert.deepEqual(npm.exports, deno.exports);
});

for (const folder of ["", "tools/runtimes/"]) {
  Deno.test(`${folder}package-lock.json belongs to its package.json`, () => {
    const { dependencies, devDependencies = {} } = readJson(`${folder}package.json`) as PackageJson;
    const { packages } = readJson(`${folder}package-lock.json`) as { packages: Record<string, Partial<PackageJson>> };
    assert.deepEqual(packages[""]?.dependencies, dependencies);
    assert.deepEqual(packages[""]?.devDependencies ?? {}, devDependencies);
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.equal(packages[`node_modules/${name}`]?.version, version, name);
    }
  });
}

Deno.test("all @connectrpc packages have one version", () => {
  const versions = Object.entries(imported()).filter(([name]) => name.startsWith("@connectrpc/"));
  assert.equal(new Set(versions.map(([, version]) => version)).size, 1);
});

Deno.test("lib/ is checked as strictly with DOM libraries as all other code", () => {
  const { compilerOptions, imports } = readJson("tools/deno.lib.json") as DenoJson;
  const { lib, types, ...rest } = compilerOptions;
  for (const [name, target] of Object.entries(imports)) assert.equal(target, deno.imports[name], name);
  assert.deepEqual(rest, deno.compilerOptions);
  assert.deepEqual(types, []);
  assert.ok(Array.isArray(lib) && lib.every((name) => /^(esnext|dom(\.\w+)?)$/.test(String(name))));
});
