/**
 * The results of proposals on the wire.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProposeOutcome } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { present, safeInteger } from "./checked.ts";
import { errorFromDetail, errorToDetail } from "./error_detail.ts";
import type { ProposeResult as WireResult, ProposeResultSchema } from "./gen/raft/v1/client_pb.ts";

/** Returns the wire form of a result. */
export function resultToWire(result: ProposeOutcome): MessageInitShape<typeof ProposeResultSchema> {
  return result.ok
    ? { result: { case: "proposed", value: { index: BigInt(result.index), result: result.result } } }
    : { result: { case: "error", value: errorToDetail(result.error) } };
}

/** Reads the results of `commands` commands. @throws {RaftError} `internal` if there are more or fewer */
export function resultsFromWire(results: readonly WireResult[], commands: number): ProposeOutcome[] {
  if (results.length !== commands) {
    throw new RaftError("internal", `${results.length} results for ${commands} commands`, { outcome: "unknown" });
  }
  return results.map(resultFromWire);
}

/** Reads one result. If it can't be read, the command's outcome is unknown. */
function resultFromWire({ result }: WireResult): ProposeOutcome {
  if (result.case === "error") return { ok: false, error: errorFromDetail(result.value) };
  try {
    const { index, result: bytes } = present(result.value, "a result");
    return { ok: true, index: safeInteger(index, "index"), result: bytes };
  } catch (cause) {
    return { ok: false, error: new RaftError("internal", "the answer is malformed", { outcome: "unknown", cause }) };
  }
}
