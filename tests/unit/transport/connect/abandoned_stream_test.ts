import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { BodyReceiver, connectFetchHandler, ConnectTransport } from "../../../../transport/connect/mod.ts";
import { createRaftRoutes, peerService } from "../../../../transport/connect/mod.ts";
import { framed } from "../../../../transport/connect/encoded_stream.ts";
import { envelopeToWire } from "../../../../transport/wire/codec.ts";
import { StreamRequestSchema } from "../../../../transport/wire/gen/raft/v1/peer_pb.ts";
import { appendEntries } from "../../../support/envelopes.ts";

Deno.test("a stream that breaks off while a large message is acknowledged leaves nothing in the budget", async () => {
  for (const how of ["answer cancelled", "request aborted"]) {
    const receiver = new BodyReceiver();
    const unused = (): never => assert.fail("not called");
    await using transport = new ConnectTransport({ connector: unused });
    let arrived = 0;
    await transport.start(() => void arrived++);
    const answer = connectFetchHandler(createRaftRoutes({ peer: peerService(transport, unused) }), { receiver });
    const message = create(StreamRequestSchema, { envelopes: [envelopeToWire(appendEntries(1, 30_000))], ack: 1 });
    const frame = framed(toBinary(StreamRequestSchema, message));
    const pieces = [frame.slice(0, 20_000), frame.slice(20_000)];
    const gone = new AbortController();
    // The last piece is followed by none, as on a stream between nodes.
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => pieces.length > 0 ? controller.enqueue(pieces.shift()!) : new Promise(() => {}),
    });
    const init = { method: "POST", body, duplex: "half", signal: gone.signal };
    const headers = { "content-type": "application/connect+proto" };
    const request = new Request("http://n1.test/raft.v1.PeerService/Stream", { ...init, headers });
    const reader = (await answer(request))!.body!.getReader();
    await reader.read();
    assert.equal(arrived, 1);
    assert.ok(receiver.budget.usedBytes >= 30_000, `${receiver.budget.usedBytes}`);
    if (how === "request aborted") gone.abort();
    else await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(receiver.budget.usedBytes, 0, how);
  }
});
