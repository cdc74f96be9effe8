/**
 * The sentences of comments, for the lint rule `prose`.
 *
 * A comment is a block comment that begins its line, a run of line comments that
 * each fill their line, or a line comment behind code. Left out are code (fenced
 * or indented by four columns) and directives to tools. Each paragraph, list
 * item, heading and tag (`@param name`, `@returns`) begins a new text; a text is
 * split into sentences after `.`, `!` or `?`, where white space and anything but a
 * lower-case letter follows. A text without a full stop is one sentence. Template
 * literals over several lines are not recognised: comments in them count.
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

/** The comments of a source text, each as its lines. */
function* comments(source: string): Generator<Sentence[]> {
  let block: Sentence[] | null = null;
  let run: Sentence[] = [];
  for (const [index, raw] of source.split("\n").entries()) {
    const line = index + 1;
    const text = raw.trim();
    if (block !== null) {
      block.push({ line, text: raw.replace(/\*\/.*$/, "").replace(/^\s*\* ?/, "").trimEnd() });
    } else if (text.startsWith("/*")) {
      block = [{ line, text: text.replace(/\*\/.*$/, "").replace(/^\/\*+ ?/, "").trimEnd() }];
    } else if (text.startsWith("//")) {
      run.push({ line, text: text.replace(/^\/\/ ?/, "") });
      continue;
    }
    if (run.length > 0) yield run;
    run = [];
    if (block !== null) {
      if (!text.includes("*/")) continue;
      yield block;
      block = null;
    } else {
      const behind = /^(.*[\s;,{}()])\/\/ (.+)$/.exec(raw);
      if (behind !== null && isCode(String(behind[1]))) yield [{ line, text: String(behind[2]) }];
    }
  }
  if (run.length > 0) yield run;
}

/** Reports whether no string is open at the end of this piece of a line. */
function isCode(piece: string): boolean {
  return ['"', "'", "`"].every((quote) => piece.split(quote).length % 2 === 1);
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

/** Returns the sentences of all comments of a source text, in their order. */
export function sentencesOf(source: string): Sentence[] {
  return [...comments(source)].flatMap(texts).flatMap(split);
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
