/**
 * The history of the key-value store's clients, in the form that the search for a
 * linearization needs.
 */

import type { HistoryRecord } from "../checks/history.ts";
import { decodeGetAnswer, decodeWriteAnswer } from "../../lib/kv/commands.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../linearizability/mod.ts";
import type { KeyValueRequest } from "./key_value_workload.ts";

/** Converts a history; leaves out requests without an effect and unanswered reads. */
export function keyValueHistory(records: readonly HistoryRecord[]): Operation<KeyValueInput, KeyValueOutput>[] {
  return records.flatMap((record) => {
    const { client, callUs, returnUs, outcome, answer } = record;
    const input = inputOf(record.asked as KeyValueRequest);
    if (outcome === "done" && answer !== null && returnUs !== null) {
      return [{ client, input, output: outputOf(input, answer), call: callUs, return: returnUs }];
    }
    if (outcome === "rejected" || record.kind === "query") return [];
    return [{ client, input, call: callUs, return: Number.POSITIVE_INFINITY }];
  });
}

function inputOf({ operation, key, value, expectedVersion }: KeyValueRequest): KeyValueInput {
  switch (operation) {
    case "get":
    case "delete":
      return { type: operation, key };
    case "put":
      return { type: operation, key, value: value! };
    case "compareAndSet":
      return { type: operation, key, value, expectedVersion: expectedVersion! };
  }
}

function outputOf({ type }: KeyValueInput, bytes: Uint8Array): KeyValueOutput {
  if (type === "get") {
    const answer = decodeGetAnswer(bytes);
    if (!answer.ok || answer.entry === null) return null;
    return { value: new TextDecoder().decode(answer.entry.value), version: answer.entry.version };
  }
  const answer = decodeWriteAnswer(bytes);
  if (answer.ok) return { ok: true, version: answer.version, previousVersion: answer.previousVersion };
  return { ok: false, currentVersion: answer.reason === "conflict" ? answer.currentVersion : 0 };
}
