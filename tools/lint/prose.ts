/**
 * The sentences of comments, for the lint rule `prose`.
 *
 * A comment is a block comment, or a run of line comments. Left out are code (fenced
 * or indented by four columns) and directives to tools. Each paragraph, list
 * item, heading and tag (`@param name`, `@returns`) begins a new text; a text is
 * split into sentences after `.`, `!` or `?`, where white space and anything but a
 * lower-case letter follows. A text without a full stop is one sentence.
 */

/** A sentence, or a line of a comment. */
export interface Sentence {
  readonly text: string;
  /** The line of the file that it begins on, from 1. */
  readonly line: number;
}

const DIRECTIVE = /^(deno-|@ts-|dprint|#!|\/ <)/;
const TAG = /^@(param|template)\s+\S+\s*(-\s+)?|^@\w+(\s*\{[^}]*\})?\s*/;
const ITEM = /^([-*]|\d+\.)\s+|^#+\s+|^\|\s*/;
/** The end of a sentence. Abbreviations don't end one, nor do numbers of sections ("§5.4.2"). */
const END = /(?<!\b(?:e\.g|i\.e|cf|vs|etc|no))[.!?]["')`\]]*\s+(?![a-z])/g;

/** Returns the comments of a file, each as its lines; line comments in a row are one. */
function comments(code: Deno.lint.SourceCode): Sentence[][] {
  const found: Sentence[][] = [];
  let end = 0;
  let line = 1;
  let ofLines = false;
  for (const { type, value, range: [begin, next] } of code.getAllComments()) {
    const between = code.text.slice(end, begin);
    const first = line += between.split("\n").length - 1;
    const margin = type === "Block" ? /^\s*\* ?/ : /^ /;
    const lines = value.split("\n").map((raw, i) => ({ line: first + i, text: raw.replace(margin, "").trimEnd() }));
    if (type === "Line" && ofLines && /^[^\S\n]*\n[^\S\n]*$/.test(between)) found.at(-1)!.push(...lines);
    else found.push(lines);
    end = next;
    line += lines.length - 1;
    ofLines = type === "Line";
  }
  return found;
}

/** The paragraphs, items and tags of a comment, as the lines of each without their marks. */
function texts(comment: readonly Sentence[]): Sentence[][] {
  const found: Sentence[][] = [];
  let current: Sentence[] | null = null;
  let fenced = false;
  for (const { line, text } of comment) {
    const bare = text.trim();
    if (bare.startsWith("```")) fenced = !fenced;
    if (fenced || bare.startsWith("```") || bare === "" || DIRECTIVE.test(bare) || /^ {4}/.test(text)) {
      current = null;
      continue;
    }
    const mark = TAG.exec(bare) ?? ITEM.exec(bare);
    if (mark !== null || current === null) found.push(current = []);
    current.push({ line, text: bare.slice(mark?.[0].length ?? 0) });
  }
  return found;
}

/** Returns the sentences of all comments of a file, in their order. */
export function sentencesOf(code: Deno.lint.SourceCode): Sentence[] {
  return comments(code).flatMap(texts).flatMap(split);
}

function split(text: readonly Sentence[]): Sentence[] {
  const whole = text.map((line) => line.text).join("\n");
  const begins = [0, ...[...whole.matchAll(END)].map((end) => end.index + end[0].length), whole.length];
  return begins.slice(0, -1).flatMap((begin, i) => {
    const words = whole.slice(begin, begins[i + 1]).replace(/\s+/g, " ").trim();
    const line = text[whole.slice(0, begin).split("\n").length - 1]?.line ?? 0;
    return /\p{L}/u.test(words) ? [{ text: words, line }] : [];
  });
}
