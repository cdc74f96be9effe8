/**
 * Bytes, durations and tables for people.
 */

import stringWidth from "string-width";

/** Control and format characters, line separators and backslashes: they could forge text, or control a terminal. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu;

const NAMED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

function escaped(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  return NAMED[character] ?? (point < 0x80 ? hex(point) : `\\u{${point.toString(16)}}`);
}

/** Makes text safe to print on one line. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** Makes text of several lines safe to print, such as a message from a server. */
export function safeLines(text: string): string {
  return text.split("\n").map((line) => line.replace(/[\p{Cc}\p{Cf}]/gu, escaped)).join("\n");
}

/**
 * Shows bytes on one line: UTF-8 as it is, with unsafe characters escaped; other
 * bytes as `\xff`. Cuts at `maxCharacters`, with an ellipsis.
 */
export function showBytes(bytes: Uint8Array, maxCharacters = Infinity): string {
  // Decodes no more than is shown: at most four bytes a character.
  const part = bytes.subarray(0, maxCharacters * 4 + 4);
  const isCut = part.length < bytes.length;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text: string;
  try {
    // A stream may end within a character, which is then dropped.
    text = safeText(decoder.decode(part, { stream: isCut }));
  } catch {
    const shown = (byte: number) => byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text = Array.from(part, (byte) => shown(byte) ? String.fromCharCode(byte) : hex(byte)).join("");
  }
  const characters = [...text];
  if (characters.length <= maxCharacters && !isCut) return text;
  return `${characters.slice(0, maxCharacters - 1).join("")}…`;
}

/** Quotes a key for a message. */
export function quoted(bytes: Uint8Array): string {
  return `"${showBytes(bytes, 80)}"`;
}

/** Returns a number with its noun: `1 byte`, `2 bytes`, `3 voters`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Returns a duration in its two largest units. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** Returns an address as people write it. */
export function shortAddress(address: string): string {
  return safeText(address.replace(/^http:\/\//, ""));
}

/**
 * Aligns rows under their titles. No line ends in spaces.
 *
 * @param right The titles of the columns that are aligned to the right.
 */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, at) => lines.reduce((most, line) => Math.max(most, stringWidth(line[at] ?? "")), 0));
  return lines.map((line) =>
    titles.map((title, at) => {
      const cell = line[at] ?? "";
      const blanks = " ".repeat((widths[at] ?? 0) - stringWidth(cell));
      return right.includes(title) ? blanks + cell : cell + blanks;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}
