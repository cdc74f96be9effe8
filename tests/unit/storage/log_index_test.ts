import assert from "node:assert/strict";
import { LogIndex } from "../../../storage/file/log_index.ts";
import { generator } from "../../adversarial/storage/random.ts";

interface Position {
  readonly term: number;
  readonly segment: number;
  readonly offset: number;
}

Deno.test("an index agrees with a plain map after random appends, overwrites and drops", () => {
  const random = generator(11);
  const upTo = (n: number) => Math.floor(random() * n);
  const index = new LogIndex();
  const model = new Map<number, Position>();
  let first = 1;
  let last = 0;
  let segment = 1;
  let term = 1;
  let offset = 0;
  for (let round = 0; round < 400; round++) {
    if (random() < 0.2) term++;
    if (random() < 0.2) segment++;
    const action = random();
    if (action < 0.15) {
      // Overwrites, sometimes from before the first entry.
      const from = Math.max(1, last - upTo(random() < 0.2 ? 30_000 : 50));
      for (let gone = from; gone <= last; gone++) model.delete(gone);
      last = from - 1;
      if (from < first) {
        model.clear();
        first = from;
      }
    } else if (action < 0.25) {
      const next = first + upTo(last - first + 3);
      index.dropBefore(next);
      for (; first < next; first++) model.delete(first);
      last = Math.max(last, first - 1);
    } else if (action < 0.27) {
      last += upTo(1000);
      first = last + 1;
      index.reset(first);
      model.clear();
    }
    for (let count = 1 + upTo(random() < 0.1 ? 20_000 : 20); count > 0; count--) {
      index.append(++last, term, segment, offset += 7);
      model.set(last, { term, segment, offset });
    }
    assert.deepStrictEqual([index.first, index.last], [first, last], `round ${round}`);
    for (let probe = 0; probe < 30; probe++) {
      const at = probe === 0 ? first : probe === 1 ? last : first + upTo(last - first + 1);
      const found = { term: index.termAt(at), segment: index.segmentOf(at), offset: index.offsetOf(at) };
      assert.deepStrictEqual(found, model.get(at), `round ${round}, index ${at}`);
      const end = index.lastInSegment(at, last);
      assert.strictEqual(model.get(end)?.segment, found.segment);
      assert.ok(end === last || model.get(end + 1)!.segment !== found.segment);
    }
    assert.strictEqual(index.termAt(first - 1), undefined);
    assert.strictEqual(index.termAt(last + 1), undefined);
  }
});
