// Accounts and transfers between them, on three processes: your own state machine.
//   ledger.ts serve n1                    one node; n2 and n3 in terminals of their own
//   ledger.ts transfer bank alice 100     and then: ledger.ts balances
import process from "node:process";
import { Coordinator, jsonCodec, TypedClient, type TypedDefinition, typedStateMachine } from "../mod.ts";
import { onShutdownSignal, startServer } from "../server/mod.ts";
import { createConnectClientTransport } from "../transport/connect/mod.ts";

type Transfer = { readonly from: string; readonly to: string; readonly amount: number };
type Balances = Record<string, number>;

const pairs = jsonCodec<[string, number][]>();
const ledger: TypedDefinition<Map<string, number>, Transfer, Balances | { readonly refused: string }, null, Balances> =
  {
    version: 1,
    initial: () => new Map(),
    apply(balances, command) {
      const { from, to, amount } = { ...command }; // may be any JSON, even null
      const sound = typeof from === "string" && typeof to === "string" && Number.isSafeInteger(amount);
      if (!sound || from === to || amount <= 0) return { refused: "a transfer has from, to and amount" };
      const [ofFrom, ofTo] = [balances.get(from) ?? 0, balances.get(to) ?? 0];
      if (from !== "bank" && ofFrom < amount) return { refused: `${from} has ${ofFrom}` };
      balances.set(from, ofFrom - amount).set(to, ofTo + amount);
      return { [from]: ofFrom - amount, [to]: ofTo + amount };
    },
    query: (balances) => Object.fromEntries(balances),
    codecs: {
      state: {
        encode: (balances) => pairs.encode([...balances]),
        decode: (bytes, version) => new Map(pairs.decode(bytes, version)),
      },
    },
  };

const ports = (process.env["LEDGER_PORTS"] ?? "7101,7102,7103").split(",");
const peers = ports.map((port, at) => ({ id: `n${at + 1}`, address: `http://127.0.0.1:${port}` }));
const [verb, id = "", to = "", amount] = process.argv.slice(2);
if (verb === "serve") {
  const stateMachine = typedStateMachine(ledger);
  const server = await startServer({ id, data: `ledger-data/${id}`, peers, stateMachine });
  onShutdownSignal(() => void server.close());
  process.exit((await server.ended).exitCode);
}
const transport = createConnectClientTransport();
const coordinator = new Coordinator({ endpoints: peers.map(({ address }) => address), transport });
const client = new TypedClient(ledger, coordinator);
const transfer = { from: id, to, amount: Number(amount) };
console.log(await (verb === "transfer" ? client.propose(transfer) : client.read(null)));
await coordinator.close();
