/**
 * The definition of a mutant: a copy of the source in which one rule is missing. A
 * rule is proved necessary when a check fails without it.
 *
 * @module
 */

/** A piece of a file, and its replacement. */
export interface Edit {
  /** Relative to the project's folder. */
  readonly file: string;
  /** The piece, which occurs in the file exactly once; otherwise the mutant no longer applies. */
  readonly find: string;
  readonly replace: string;
}

/** The test that fails without the rule, independently of the simulation. */
export interface DirectedTest {
  readonly file: string;
  /** The test's whole name. */
  readonly name: string;
}

/** A mutant of one rule. */
export interface Mutant {
  /** Short and unique, for the command line and the table. */
  readonly name: string;
  /** The rule that is missing, with its section of the paper or the dissertation (from chapter 3 on, and §9.6). */
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** The check that has to fail: a whole cluster in the simulator, or only the directed test. */
  readonly killedBy: "simulation" | "test";
  readonly test: DirectedTest;
}
