/**
 * What a mutant is: a copy of the source in which one rule is missing. A rule
 * is proved needed when something fails without it.
 *
 * @module
 */

/** A piece of a file, and what stands in its place. */
export interface Edit {
  /** Relative to the project's folder. */
  readonly file: string;
  /** Occurs in the file exactly once; otherwise the mutant no longer applies. */
  readonly find: string;
  readonly replace: string;
}

/** The test that fails without the rule, whatever the simulation says. */
export interface DirectedTest {
  readonly file: string;
  /** The test's whole name. */
  readonly name: string;
}

/** One rule less. */
export interface Mutant {
  /** Short and unique, for the command line and the table. */
  readonly name: string;
  /** The rule that is missing, with its section of the paper or the dissertation (from chapter 3 on, and §9.6). */
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** Who has to notice: a whole cluster in the simulator, or the directed test alone. */
  readonly killedBy: "simulation" | "test";
  readonly test: DirectedTest;
}
