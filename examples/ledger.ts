// Accounts and transfers between them, on three processes: your own state machine.
//   ledger.ts serve n1                    one node; n2 and n3 in terminals of their own
//   ledger.ts transfer bank alice 100     and then: ledger.ts balances
import process from "node:process";
import { type AppliedCommand, Coordinator, type StateMachine } from "../mod.ts";
import { onShutdownSignal, startServer } from "../server/mod.ts";
import { createConnectClientTransport } from "../transport/connect/mod.ts";

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

class Ledger implements StateMachine {
  #balances = new Map<string, number>();

  apply({ data }: AppliedCommand): Uint8Array {
    try {
      const { from, to, amount } = decode(data);
      const sound = typeof from === "string" && typeof to === "string" && Number.isSafeInteger(amount);
      if (sound && from !== to && amount > 0) return encode(this.#transfer(from, to, amount));
    } catch { /* Not JSON. What throws out of apply stops every node. */ }
    return encode({ refused: "a transfer has from, to and amount" });
  }

  #transfer(from: string, to: string, amount: number) {
    const [ofFrom, ofTo] = [this.#balances.get(from) ?? 0, this.#balances.get(to) ?? 0];
    if (from !== "bank" && ofFrom < amount) return { refused: `${from} has ${ofFrom}` };
    this.#balances.set(from, ofFrom - amount).set(to, ofTo + amount);
    return { [from]: ofFrom - amount, [to]: ofTo + amount };
  }

  query(): Uint8Array {
    return encode(Object.fromEntries(this.#balances));
  }

  async *snapshot(): AsyncIterable<Uint8Array> {
    yield encode([...this.#balances]); // captured before the first await
  }

  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    const [utf8, text] = [new TextDecoder(), [] as string[]];
    for await (const chunk of snapshot) text.push(utf8.decode(chunk, { stream: true }));
    this.#balances = new Map(JSON.parse(text.join("")));
  }
}

const ports = (process.env["LEDGER_PORTS"] ?? "7101,7102,7103").split(",");
const peers = ports.map((port, at) => ({ id: `n${at + 1}`, address: `http://127.0.0.1:${port}` }));
const [verb, id = "", to, amount] = process.argv.slice(2);
if (verb === "serve") {
  const server = await startServer({ id, data: `ledger-data/${id}`, peers, stateMachine: new Ledger() });
  onShutdownSignal(() => void server.close());
  process.exit((await server.ended).exitCode);
}
const transport = createConnectClientTransport();
const client = new Coordinator({ endpoints: peers.map(({ address }) => address), transport });
const transfer = encode({ from: id, to, amount: Number(amount) });
const { result } = await (verb === "transfer" ? client.propose(transfer) : client.read(new Uint8Array()));
console.log(decode(result));
await client.close();
