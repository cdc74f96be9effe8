/** Numbers as the options of the long-running tests take them. */

/** Parses a number. @throws {Error} for the user, which names the option, if it is not within the bounds */
export function numberIn(name: string, text: string, low: number, high: number): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!(value >= low && value <= high)) throw new Error(`${name}: expected a number from ${low} to ${high}.`);
  return value;
}

/** Parses a whole number. @throws {Error} as {@linkcode numberIn} */
export function wholeIn(name: string, text: string, low: number, high: number): number {
  const value = numberIn(name, text, low, high);
  if (!Number.isInteger(value)) throw new Error(`${name}: expected a whole number.`);
  return value;
}
