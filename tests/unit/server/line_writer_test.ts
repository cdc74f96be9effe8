import assert from "node:assert/strict";
import { LineWriter } from "../../../server/line_writer.ts";

/** A destination whose writes end as the test says. */
class Destination {
  text = "";
  /** The outcomes of the next writes: a number of bytes, or the code of an error. The rest is taken whole. */
  readonly outcomes: (number | string)[] = [];

  readonly write = async (bytes: Uint8Array): Promise<number> => {
    await Promise.resolve();
    const outcome = this.outcomes.shift() ?? bytes.length;
    if (typeof outcome === "string") throw Object.assign(new Error("refused"), { code: outcome });
    this.text += new TextDecoder().decode(bytes.subarray(0, outcome));
    return outcome;
  };
}

function writer(destination: Destination): LineWriter {
  return new LineWriter(destination.write, (lost) => `lost ${lost}`);
}

Deno.test("lines are written in order, whatever the size of the pieces taken", async () => {
  const destination = new Destination();
  const lines = writer(destination);
  destination.outcomes.push(1, 2, 0, 3);
  for (const line of ["first", "second", "third"]) lines.write(line);
  await lines.flush();
  lines.write("fourth");
  await lines.flush();
  assert.equal(destination.text, "first\nsecond\nthird\nfourth\n");
});

Deno.test("lines that a full disk refuses are lost and counted, and a torn one is ended", async () => {
  const destination = new Destination();
  const lines = writer(destination);
  destination.outcomes.push(3, "ENOSPC", "ENOSPC");
  lines.write("first");
  await lines.flush();
  lines.write("second");
  await lines.flush();
  lines.write("third");
  await lines.flush();
  assert.equal(destination.text, "fir\nlost 2\nthird\n");
});

Deno.test("a destination that takes nothing now is tried again", async () => {
  const destination = new Destination();
  const lines = writer(destination);
  destination.outcomes.push("EAGAIN", 2, "EAGAIN");
  lines.write("line");
  await lines.flush(10_000);
  assert.equal(destination.text, "line\n");
});

Deno.test("a destination that hangs holds up neither the caller nor the end, and memory is bounded", async () => {
  const end = Promise.withResolvers<void>();
  let text = "";
  const lines = new LineWriter(async (bytes) => {
    await end.promise;
    text += new TextDecoder().decode(bytes);
    return bytes.length;
  }, (lost) => `lost ${lost}`);
  const line = "x".repeat(1023);
  for (let at = 0; at < 3000; at++) lines.write(line);
  await lines.flush(1);
  assert.equal(text, "");
  end.resolve();
  await lines.flush(60_000);
  const written = text.trimEnd().split("\n");
  const lost = Number(written.find((each) => each.startsWith("lost"))?.split(" ")[1]);
  assert.equal(written.filter((each) => each === line).length + lost, 3000);
  assert.ok(lost > 1900, String(lost));
});
