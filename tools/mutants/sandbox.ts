/** A copy of the source in a temporary folder, in which mutants are made one after the other. */

import type { Edit } from "../../tests/mutants/mutant.ts";
import { projectFiles, ROOT } from "../run.ts";

/** Files that neither a mutant nor its check needs. */
const LEFT_OUT = /^(docs|bench|examples|browser-demo)\//;

/** One copy. Only its own files are ever changed. */
export class MutantSandbox {
  readonly root: string;
  /** The original texts of edited files. */
  readonly #originals = new Map<string, string>();

  constructor(root: string) {
    this.root = root;
  }

  static async open(): Promise<MutantSandbox> {
    const root = await Deno.makeTempDir({ prefix: "raft-mutants-" });
    for (const path of await projectFiles()) {
      if (LEFT_OUT.test(path)) continue;
      await Deno.mkdir(`${root}/${path.slice(0, path.lastIndexOf("/") + 1)}`, { recursive: true });
      await Deno.copyFile(ROOT + path, `${root}/${path}`);
    }
    return new MutantSandbox(root);
  }

  /** Makes the edits. @throws {Error} if one does not apply */
  async apply(edits: readonly Edit[]): Promise<void> {
    for (const { file, find, replace } of edits) {
      const path = `${this.root}/${file}`;
      const before = await Deno.readTextFile(path);
      if (!this.#originals.has(file)) this.#originals.set(file, before);
      const found = before.split(find).length - 1;
      if (found !== 1) throw new Error(`${file} has ${found} places like ${JSON.stringify(find.trim().slice(0, 60))}`);
      await Deno.writeTextFile(path, before.replace(find, () => replace));
    }
  }

  async restore(): Promise<void> {
    for (const [file, text] of this.#originals) await Deno.writeTextFile(`${this.root}/${file}`, text);
    this.#originals.clear();
  }

  async close(): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}
