/**
 * The newest entries of a node's log, in words. Entries that the node no longer
 * has in memory are read from its disk, once.
 */

import { decodeMembership, isJoint } from "../../mod.ts";
import type { Entry, RaftView, Storage } from "../../mod.ts";
import { decodeCommand } from "../../lib/kv/commands.ts";
import { decodeEntry } from "../../lib/sessions/session_codec.ts";
import type { EntryView } from "../source.ts";

/** Entries that are shown. */
const SHOWN = 40;
const READ_BYTES = 1024 * 1024;
const TEXT_LENGTH = 24;

/** The end of one log. */
export class LogWindow {
  readonly #storage: Storage;
  #shown = new Map<number, EntryView>();
  #reading = false;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Returns the present entries. Those that have to be read from disk are returned by later calls. */
  entries(raft: RaftView): readonly EntryView[] {
    const from = Math.max(raft.firstIndex, raft.lastIndex - SHOWN + 1);
    const kept = new Map<number, EntryView>();
    let missing = 0;
    for (let index = from; index <= raft.lastIndex; index++) {
      const known = this.#shown.get(index);
      // Equal index and term are equal entries (§5.3).
      if (known !== undefined && known.term === raft.termAt(index)) kept.set(index, known);
      else missing = missing === 0 ? index : missing;
    }
    this.#shown = kept;
    if (missing > 0) this.#fill(raft, missing);
    return [...this.#shown.values()].sort((a, b) => a.index - b.index);
  }

  #fill(raft: RaftView, from: number): void {
    const cached = raft.cachedEntries(from, raft.lastIndex);
    for (const entry of cached) this.#shown.set(entry.index, describeEntry(entry));
    const to = Math.min(raft.lastIndex, raft.durableIndex);
    if (cached.length > 0 || this.#reading || from > to) return;
    this.#reading = true;
    this.#storage.entries(from, to, READ_BYTES).then((entries) => {
      for (const entry of entries) this.#shown.set(entry.index, describeEntry(entry));
    }, () => {}).finally(() => this.#reading = false);
  }
}

/** Describes an entry. */
function describeEntry(entry: Entry): EntryView {
  const { index, term, type } = entry;
  return {
    index,
    term,
    type,
    label: type === "command" ? command(entry) : type === "membership" ? members(entry) : "",
  };
}

function command({ data }: Entry): string {
  try {
    const entry = decodeEntry(data);
    if (entry.type === "register") return "a new client";
    const { key, value } = decodeCommand(entry.command);
    return value === null ? `delete ${text(key)}` : `${text(key)} = ${text(value)}`;
  } catch {
    return "a command";
  }
}

function members({ data }: Entry): string {
  try {
    const membership = decodeMembership(data);
    const voters = membership.voters.join(" ");
    const learners = membership.learners.length === 0 ? "" : `, learning: ${membership.learners.join(" ")}`;
    return `${isJoint(membership) ? "joint: " : ""}${voters}${learners}`;
  } catch {
    return "";
  }
}

function text(bytes: Uint8Array): string {
  const all = new TextDecoder().decode(bytes.subarray(0, 4 * TEXT_LENGTH));
  return all.length > TEXT_LENGTH ? `${all.slice(0, TEXT_LENGTH)}…` : all;
}
