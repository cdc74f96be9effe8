/** The base of a page with checks: `globalThis.checks` has their names, and `globalThis.runCheck(name)` runs one. */

/** A check, as in the conformance suites. */
export interface PageCheck {
  readonly name: string;
  run(): Promise<void>;
}

/** Offers the checks to the test that opened the page. */
export function offer(checks: readonly PageCheck[]): void {
  Object.assign(globalThis, {
    checks: checks.map(({ name }) => name),
    async runCheck(name: string): Promise<string> {
      try {
        const check = checks.find((one) => one.name === name);
        if (check === undefined) throw new Error(`there is no check "${name}"`);
        await check.run();
        return "";
      } catch (error) {
        return error instanceof Error ? `${error.stack ?? error.message}` : String(error);
      }
    },
  });
}
