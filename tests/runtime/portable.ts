/**
 * Test suites that are independent of test runners: lists of cases, which are run
 * one after the other and counted. The same bodies run under Deno, Node and Bun.
 */

/** One case, which fails by throwing. */
export interface Case {
  readonly name: string;
  run(): void | Promise<void>;
}

/** Cases under one name. */
export interface Suite {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** The time limit of a case. */
const CASE_TIMEOUT_MS = 120_000;

/** Cases that take longer are printed with their time. */
const SLOW_MS = 3000;

/** Rejects when `work` takes too long. */
async function inTime(work: void | Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_TIMEOUT_MS} ms`)), CASE_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Runs every case, prints each failure, and the counts on the last line. Returns the number of failures. */
export async function runSuites(suites: readonly Suite[], print: (line: string) => void): Promise<number> {
  let passed = 0;
  let failed = 0;
  for (const { name: suite, cases } of suites) {
    const before = failed;
    const began = performance.now();
    for (const { name, run } of cases) {
      const caseBegan = performance.now();
      try {
        await inTime(run());
        passed++;
        const tookMs = performance.now() - caseBegan;
        if (tookMs > SLOW_MS) print(`slow   ${suite}: ${name} (${seconds(tookMs)})`);
      } catch (error) {
        failed++;
        print(`FAILED ${suite}: ${name}\n${error instanceof Error ? error.stack ?? error.message : String(error)}`);
      }
    }
    print(
      `${failed === before ? "ok    " : "FAILED"} ${suite}: ${cases.length} cases (${
        seconds(performance.now() - began)
      })`,
    );
  }
  print(`${passed} passed, ${failed} failed`);
  return failed;
}
