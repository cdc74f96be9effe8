/**
 * The output of the benchmarks: rows under a heading, in aligned columns.
 *
 * @module
 */

/** A measurement: a name, a figure with its unit, and a remark. */
export interface Row {
  readonly name: string;
  readonly figure: string;
  readonly note?: string;
}

export function printTable(title: string, rows: readonly Row[]): void {
  const names = Math.max(...rows.map(({ name }) => name.length));
  const figures = Math.max(...rows.map(({ figure }) => figure.length));
  console.log(`\n${title}`);
  for (const { name, figure, note = "" } of rows) {
    console.log(`  ${name.padEnd(names)}  ${figure.padStart(figures)}  ${note}`.trimEnd());
  }
}

/** Formats a number with separators and few digits. */
export function number(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Runs `work` for about `ms`, in rounds of `count` operations, after one round that isn't counted; returns operations a second. */
export async function rate(ms: number, count: number, work: () => void | Promise<void>): Promise<number> {
  await work();
  const start = performance.now();
  let rounds = 0;
  do {
    await work();
    rounds++;
  } while (performance.now() - start < ms);
  return rounds * count / ((performance.now() - start) / 1000);
}
