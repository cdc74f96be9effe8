/** A copy of the source in a temporary folder, in which mutants are made one after the other. */

import type { Edit } from "../../tests/mutants/mutant.ts";
import { projectFiles, ROOT, run } from "../run.ts";
import type { Ran } from "../run.ts";

/** Files that neither a mutant nor its check needs. */
const LEFT_OUT = /^(docs|bench|examples|browser-demo)\//;

/** One copy. Only its own files are ever changed. */
export class MutantSandbox {
  readonly #root: string;
  readonly #signal: AbortSignal;
  /** The original texts of edited files. */
  readonly #originals = new Map<string, string>();

  private constructor(root: string, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  /** Makes a copy. @param signal kills the processes that run in it */
  static async open(signal: AbortSignal): Promise<MutantSandbox> {
    const root = await Deno.makeTempDir({ prefix: "raft-mutants-" });
    for (const path of await projectFiles()) {
      if (LEFT_OUT.test(path)) continue;
      await Deno.mkdir(`${root}/${path.slice(0, path.lastIndexOf("/") + 1)}`, { recursive: true });
      await Deno.copyFile(ROOT + path, `${root}/${path}`);
    }
    return new MutantSandbox(root, signal);
  }

  /** Runs Deno in the copy. */
  async deno(args: readonly string[], timeoutMs: number): Promise<Ran> {
    return await run([Deno.execPath(), ...args], { quiet: true, cwd: this.#root, timeoutMs, signal: this.#signal });
  }

  /** Makes the edits. @throws {Error} if one does not apply */
  async apply(edits: readonly Edit[]): Promise<void> {
    for (const { file, find, replace } of edits) {
      const path = `${this.#root}/${file}`;
      const before = await Deno.readTextFile(path);
      if (!this.#originals.has(file)) this.#originals.set(file, before);
      const found = before.split(find).length - 1;
      if (found !== 1) throw new Error(`${file} has ${found} places like ${JSON.stringify(find.trim().slice(0, 60))}`);
      await Deno.writeTextFile(path, before.replace(find, () => replace));
    }
  }

  async restore(): Promise<void> {
    for (const [file, text] of this.#originals) await Deno.writeTextFile(`${this.#root}/${file}`, text);
    this.#originals.clear();
  }

  async close(): Promise<void> {
    await Deno.remove(this.#root, { recursive: true });
  }
}
