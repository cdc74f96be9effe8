/** Changes of the membership and of the leadership, by operators of real processes. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { create, toBinary } from "@bufbuild/protobuf";
import { eventually, type Node, Nodes } from "../support/server_processes.ts";
import { IdentifyResponseSchema } from "../../transport/wire/gen/raft/v1/peer_pb.ts";
import type { Suite } from "./portable.ts";

const SECRET = "s3cr3t-of-another-service";

/** A service inside the network that no operator of the cluster should be able to read. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const IDENTITY = toBinary(
  IdentifyResponseSchema,
  create(IdentifyResponseSchema, {
    nodeId: SECRET,
    incarnation: SECRET,
    clusterId: SECRET,
    address: "h:1",
    empty: true,
  }),
);

const ANSWERS: Readonly<Record<string, Answer>> = {
  "a text": (_, response) => response.writeHead(200, { "content-type": "text/plain", "x-key": SECRET }).end(SECRET),
  "an error with a status line of its own": (_, response) => response.writeHead(500, SECRET).end(SECRET),
  "an error of Connect": (_, response) =>
    response.writeHead(403, { "content-type": "application/json" })
      .end(JSON.stringify({ code: "permission_denied", message: SECRET })),
  "a redirect": (_, response) => response.writeHead(307, { location: `/elsewhere?${SECRET}` }).end(),
  "an identity": (_, response) => response.writeHead(200, { "content-type": "application/proto" }).end(IDENTITY),
  "a body without an end": (_, response) => {
    response.writeHead(200, { "content-type": "application/proto" });
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, SECRET)));
    };
    response.on("drain", more);
    more();
  },
};

async function withService(answer: Answer, work: (host: string, asked: string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("latin1").on("data", (chunk) => body += chunk).on("end", () => {
      asked.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)} ${body}`);
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Returns the members, with an `L` at learners. */
async function membersOf(node: Node): Promise<string[]> {
  const status = await node.status();
  return (status?.members ?? []).map(({ id, suffrage }) => suffrage === "learner" ? `${id} L` : id).sort();
}

async function foreignServices(nodes: Nodes): Promise<void> {
  const leader = await nodes.leader();
  const { incarnation } = JSON.parse(await (await fetch(`${leader.address}/status`)).text());
  for (const [what, answer] of Object.entries(ANSWERS)) {
    await withService(answer, async (host, asked) => {
      const begun = performance.now();
      const requests = [
        ["AddMember", { id: "n9", address: host }],
        ["ChangeMembership", { voters: [{ id: leader.id }, { id: "n9", address: host }] }],
      ] as const;
      for (const [method, request] of requests) {
        const { status, text } = await leader.call(`AdminService/${method}`, request);
        assert.ok(status >= 400, `${what}: ${status} ${text}`);
        assert.ok(!text.includes(SECRET), `${what}: ${text}`);
        const expected = what === "an identity"
          ? /is another one, not n9/
          : new RegExp(`no node answers at http://${host}`);
        assert.match(text, expected, what);
      }
      assert.ok(performance.now() - begun < 30_000, what);
      assert.equal(asked.length, 2, asked.join("\n"));
      for (const one of asked) {
        assert.match(one, /^POST \/raft\.v1\.PeerService\/Identify /);
        assert.ok(!one.includes(incarnation), `it told who it is: ${one}`);
      }
      for (const address of [`http://${host}/latest`, `${host}/?a=b`, `http://user:key@${host}`, `${host}#x`]) {
        for (const request of [{ id: "n9", address }, { voters: [{ id: leader.id }, { id: "n9", address }] }]) {
          const method = "voters" in request ? "ChangeMembership" : "AddMember";
          const { status, text } = await leader.call(`AdminService/${method}`, request);
          assert.equal(status, 400, `${address}: ${text}`);
        }
      }
      assert.equal(asked.length, 2, "an address with more than host and port is not asked");
    });
  }
  assert.ok(!nodes.all.some(({ output }) => output.includes(SECRET)), "nothing of it is in the logs");
  assert.deepEqual(await membersOf(leader), nodes.all.map(({ id }) => id));
}

async function severalAtOnce(nodes: Nodes): Promise<void> {
  const leader = await nodes.leader();
  const voters = nodes.all.map(({ id }) => id);
  const added = await Promise.all(["n6", "n7", "n8", "n9"].map((id) => nodes.join(id)));
  const answers = await Promise.all(
    added.map(({ id, address }) => leader.call("AdminService/AddMember", { id, address })),
  );
  for (const { status, text } of answers) assert.equal(status, 200, text);
  assert.deepEqual(await membersOf(leader), [...voters, "n6", "n7", "n8", "n9"]);
}

async function silentNodes(nodes: Nodes): Promise<void> {
  const leader = await nodes.leader();
  const [voter] = nodes.others(leader);
  const learner = await nodes.join("n9");
  const added = await leader.call("AdminService/AddMember", { id: "n9", address: learner.address, learner: true });
  assert.equal(added.status, 200, added.text);
  await learner.put("a", "1");
  for (const node of [learner, voter]) process.kill(node.pid!, "SIGSTOP");
  try {
    // At first it is still taken for present: the leader gives up on it after an election timeout.
    for (let round = 0; round < 2; round++) {
      const begun = performance.now();
      const { status, text } = await leader.call("AdminService/TransferLeadership", { to: voter.id });
      assert.ok(status >= 400 && status < 600, text);
      assert.match(text, new RegExp(`${voter.id}\\\\?"? (has not taken leadership over|has not answered)`));
      assert.ok(performance.now() - begun < 4000, `${Math.round(performance.now() - begun)} ms`);
    }
    const refused = await eventually("the learner is silent", async () => {
      const answer = await leader.call("AdminService/PromoteMember", { id: "n9" });
      return answer.text.includes("has not answered") ? answer : null;
    });
    assert.match(refused.text, /n9 has not answered (for|yet)/);
    assert.equal((await membersOf(leader)).at(-1), "n9 L");
  } finally {
    for (const node of [learner, voter]) process.kill(node.pid!, "SIGCONT");
  }
  await eventually("it is promoted", async () => {
    return (await leader.call("AdminService/PromoteMember", { id: "n9" })).status === 200;
  });
}

async function replayedHistory(nodes: Nodes): Promise<void> {
  const leader = await nodes.leader();
  const added = await nodes.join("n9");
  for (const method of ["AddMember", "RemoveMember", "AddMember"]) {
    const { status, text } = await leader.call(`AdminService/${method}`, { id: "n9", address: added.address });
    assert.equal(status, 200, text);
    if (method === "RemoveMember") {
      await added.end("SIGKILL");
      rmSync(added.data, { recursive: true });
      await nodes.join("n9");
    }
  }
  // Removed and added since it began, it has received the log in one piece.
  await added.printed(/Membership is committed.*voters="[^"]*n9"/);
  const joined = added.output.slice(added.output.lastIndexOf("Listening on"));
  assert.doesNotMatch(joined, /Membership is committed.*index=[1-5] /, joined);
  const [other] = nodes.others(leader);
  await other.end("SIGTERM");
  const printed = other.output.length;
  nodes.start(other);
  const { commitIndex = Infinity } = await leader.status() ?? {};
  await eventually("it has the log", async () => ((await other.status())?.appliedIndex ?? 0) >= commitIndex);
  await other.printed(/(Follows|Now leader)[^]*(Follows|Now leader)/);
  const log = other.output.slice(printed);
  assert.doesNotMatch(log, /Membership/, log);
}

/** Returns the suite. @param commands the commands of three nodes */
export function membersSuite(commands: readonly (readonly string[])[]): Suite {
  const nodes = (work: (nodes: Nodes) => Promise<void>) => () => Nodes.run(commands, work);
  return {
    name: "members",
    cases: [
      { name: "an operator reads no other service through a node", run: nodes(foreignServices) },
      { name: "several members are added at once", run: nodes(severalAtOnce) },
      { name: "a silent voter does not become the leader, nor a silent learner a voter", run: nodes(silentNodes) },
      { name: "a node that restarts reports no old change as news", run: nodes(replayedHistory) },
    ],
  };
}
