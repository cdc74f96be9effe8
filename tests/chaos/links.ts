/**
 * The network between the nodes: a proxy in front of each, which determines the
 * sender of each connection, and can cut or slow each direction between two nodes.
 *
 * @module
 */

/** The way a link is cut: its connections break, or stay open and carry nothing. */
export type CutKind = "reset" | "silent";

/** The link from one node to another. */
interface Direction {
  cut: CutKind | null;
  delayMs: number;
  /** Settles once the direction is no longer cut. */
  healed: PromiseWithResolvers<void>;
}

/** A connection through a proxy. */
interface Connection {
  readonly from: string;
  readonly to: string;
  close(): void;
}

/** The sender of clients' and operators' connections, which are never touched. */
const OUTSIDE = "outside";

/** Options of {@linkcode Links.listen}. */
export interface ProxyOptions {
  /** The node behind it. */
  readonly to: string;
  /** The proxy's address. */
  readonly advertised: string;
  /** The address at which the node itself listens. */
  readonly address: string;
}

/** The pause after an error of accepting. */
const ACCEPT_PAUSE_MS = 10;

/** All links of a cluster. */
export class Links {
  readonly #directions = new Map<string, Direction>();
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Map<string, Deno.TcpListener>();
  readonly #senderOf: (port: number, toPort: number) => string | null;

  /** @param senderOf returns the node of the connection between two ports; `null` if none has it */
  constructor(senderOf: (port: number, toPort: number) => string | null) {
    this.#senderOf = senderOf;
  }

  /** Starts a proxy for a node, in place of its former one. */
  listen({ to, advertised, address }: ProxyOptions): void {
    this.#listeners.get(to)?.close();
    for (const connection of [...this.#connections]) if (connection.to === to) connection.close();
    const listener = Deno.listen(placeOf(advertised));
    this.#listeners.set(to, listener);
    void this.#accept(listener, to, placeOf(address));
  }

  async #accept(listener: Deno.TcpListener, to: string, place: Place): Promise<void> {
    while (this.#listeners.get(to) === listener) {
      try {
        const client = await listener.accept();
        const from = this.#senderOf(client.remoteAddr.port, listener.addr.port) ?? OUTSIDE;
        this.#carry(client, from, to, place).catch(() => client.close());
      } catch {
        // The sender broke off before it was accepted, or the listener is closed.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  /** Cuts the direction from `from` to `to`. */
  cut(from: string, to: string, kind: CutKind): void {
    const direction = this.#direction(from, to);
    if (direction.cut === null) direction.healed = Promise.withResolvers();
    direction.cut = kind;
    if (kind === "silent") return;
    for (const connection of [...this.#connections]) {
      const ends = [connection.from, connection.to];
      if (ends.includes(from) && ends.includes(to)) connection.close();
    }
  }

  /** Delays everything from `from` to `to`. */
  delay(from: string, to: string, delayMs: number): void {
    this.#direction(from, to).delayMs = delayMs;
  }

  /** Ends all cuts and delays. Bytes held in a silent link arrive now, late. */
  heal(): void {
    for (const direction of this.#directions.values()) {
      direction.cut = null;
      direction.delayMs = 0;
      direction.healed.resolve();
    }
  }

  /** Breaks all connections, and accepts no more. */
  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    for (const connection of [...this.#connections]) connection.close();
    this.heal();
  }

  #direction(from: string, to: string): Direction {
    const name = `${from}>${to}`;
    let direction = this.#directions.get(name);
    if (direction === undefined) {
      direction = { cut: null, delayMs: 0, healed: Promise.withResolvers() };
      this.#directions.set(name, direction);
    }
    return direction;
  }

  async #carry(client: Deno.TcpConn, from: string, to: string, place: Place): Promise<void> {
    const [there, back] = [this.#direction(from, to), this.#direction(to, from)];
    if (there.cut === "reset" || back.cut === "reset") return client.close();
    const server = await Deno.connect(place);
    const connection = {
      from,
      to,
      close: () => {
        if (!this.#connections.delete(connection)) return;
        client.close();
        server.close();
      },
    };
    this.#connections.add(connection);
    client.setNoDelay();
    server.setNoDelay();
    try {
      await Promise.all([pump(client, server, there), pump(server, client, back)]);
    } catch {
      // If one side breaks off, so does the other.
    } finally {
      connection.close();
    }
  }
}

interface Place {
  readonly hostname: string;
  readonly port: number;
}

function placeOf(address: string): Place {
  const { hostname, port } = new URL(address);
  return { hostname: hostname.replace(/[[\]]/g, ""), port: Number(port) };
}

/** Copies bytes in one direction, in order, until they end. */
async function pump(source: Deno.TcpConn, sink: Deno.TcpConn, direction: Direction): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    await passable(direction);
    const count = await source.read(buffer);
    if (direction.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, direction.delayMs));
    await passable(direction);
    if (count === null) return await sink.closeWrite();
    for (let sent = 0; sent < count;) sent += await sink.write(buffer.subarray(sent, count));
  }
}

async function passable(direction: Direction): Promise<void> {
  while (direction.cut !== null) await direction.healed.promise;
}
