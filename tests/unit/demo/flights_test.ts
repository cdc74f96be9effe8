import assert from "node:assert/strict";
import type { MessageView } from "../../../browser-demo/source.ts";
import { FLIGHT_MS, Flights, MAX_FLIGHTS, SETTLE_MS } from "../../../browser-demo/view/flights.ts";
import type { Flight } from "../../../browser-demo/view/flights.ts";

const HEARTBEAT: MessageView = {
  id: "1",
  from: "n1",
  to: "n2",
  type: "AppendEntries",
  term: 1,
  label: "heartbeat",
  heartbeat: true,
  refusal: false,
  sentMs: 1000,
  arrivesMs: 1000.4,
  fate: "delivered",
};

function flightsOf(messages: readonly Partial<MessageView>[], nowMs = 1300): readonly Flight[] {
  const flights = new Flights();
  for (const message of messages) flights.add({ ...HEARTBEAT, ...message });
  return flights.at(nowMs);
}

Deno.test("a fast message is drawn for half a second, a delayed one for its delay", () => {
  const [fast] = flightsOf([{}]);
  assert.equal((fast?.endMs ?? 0) - (fast?.startMs ?? 0), FLIGHT_MS);
  const [slow] = flightsOf([{ arrivesMs: 3000 }]);
  assert.equal(slow?.endMs, 3000 + SETTLE_MS);
});

Deno.test("an answer leaves when its request has arrived in the picture", () => {
  const [request, answer] = flightsOf([
    {},
    { from: "n2", to: "n1", type: "AppendEntriesResponse", sentMs: 1001, arrivesMs: 1001.4 },
  ]);
  assert.equal(answer?.startMs, request?.endMs);
  assert.equal(answer?.answer, true);
});

Deno.test("a candidate asks for votes after the answers to its pre-vote, and sends entries after the votes", () => {
  const flights = flightsOf([
    { type: "RequestVote", heartbeat: false },
    { from: "n2", to: "n1", type: "RequestVoteResponse", heartbeat: false, sentMs: 1001, arrivesMs: 1001.4 },
    { type: "RequestVote", heartbeat: false, sentMs: 1002, arrivesMs: 1002.4 },
    { from: "n2", to: "n1", type: "RequestVoteResponse", heartbeat: false, sentMs: 1003, arrivesMs: 1003.4 },
    { heartbeat: false, sentMs: 1004, arrivesMs: 1004.4 },
  ]);
  assert.equal(flights.length, 5);
  for (let at = 1; at < flights.length; at++) assert.equal(flights[at]?.startMs, flights[at - 1]?.endMs);
});

Deno.test("a message that is reported late is drawn in order", () => {
  const vote = { from: "n2", to: "n1", type: "RequestVoteResponse", heartbeat: false } as const;
  const [answer, entries] = flightsOf([{ heartbeat: false, sentMs: 1004 }, { ...vote, sentMs: 1003 }]);
  assert.equal(answer?.answer, true);
  assert.equal(entries?.startMs, answer?.endMs);
});

Deno.test("an answer to a heartbeat is drawn as a heartbeat", () => {
  const answer = { from: "n2", to: "n1", type: "AppendEntriesResponse", heartbeat: false, sentMs: 1001 } as const;
  assert.deepEqual(flightsOf([{}, answer]).map(({ kind }) => kind), ["heartbeat", "heartbeat"]);
  assert.deepEqual(flightsOf([{ heartbeat: false }, answer]).map(({ kind }) => kind), ["entries", "entries"]);
});

Deno.test("the lag of the picture is bounded", () => {
  const flights = new Flights();
  let latest = 0;
  for (let sentMs = 1000; sentMs < 20_000; sentMs += 100) {
    flights.add({ ...HEARTBEAT, sentMs, arrivesMs: sentMs + 0.4 });
    const times = { sentMs: sentMs + 1, arrivesMs: sentMs + 1.4 };
    flights.add({ ...HEARTBEAT, from: "n2", to: "n1", type: "AppendEntriesResponse", ...times });
    latest = Math.max(...flights.at(sentMs).map(({ startMs }) => startMs - sentMs));
  }
  assert.ok(latest <= FLIGHT_MS + SETTLE_MS + 1, `an answer is drawn ${latest} ms late`);
});

Deno.test("messages of one kind that leave together are one dot, others are not", () => {
  const [one, ...more] = flightsOf([{}, { sentMs: 1020 }, { sentMs: 1040 }]);
  assert.equal(one?.messages, 3);
  assert.equal(more.length, 0);
  assert.equal(flightsOf([{}, { heartbeat: false }, { to: "n3" }, { fate: "lost" }, { sentMs: 1200 }]).length, 5);
});

Deno.test("no more dots are drawn than the eye can follow", () => {
  const flood = Array.from({ length: 1000 }, (_, at) => ({ to: `n${at}` }));
  assert.equal(flightsOf(flood).length, MAX_FLIGHTS);
});

Deno.test("a message that has arrived is no longer drawn", () => {
  assert.equal(flightsOf([{}], 1000 + SETTLE_MS + FLIGHT_MS).length, 0);
});
