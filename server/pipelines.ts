/**
 * Requests that a client sends over HTTP/1.1 before it has the answer to the one before. node:http reads and begins
 * all of them at once: some thousands for each chunk that arrives. Here they begin one after the other, as under Deno,
 * and no more is read while some wait.
 */

/** The bytes that are parsed at once while requests follow each other closely, and in a body. */
const MIN_PARSED_BYTES = 512;
const MAX_PARSED_BYTES = 16 * 1024;

const LINE_FEED = 10;

/** The requests that may wait on all connections; a client beyond is cut off. */
const MAX_WAITING = 8192;

/** The connection of a request, as far as it matters here. */
interface Socket {
  readonly destroyed: boolean;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  unshift(chunk: Uint8Array): unknown;
  listeners(event: "data"): unknown[];
  off(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  once(event: "close", listener: () => void): unknown;
}

/** The answer to a request. */
interface Answer {
  once(event: "close", listener: () => void): unknown;
}

/** The requests of one connection. */
interface Line {
  /** True while one of them is answered. */
  busy: boolean;
  /** The number of requests so far. */
  seen: number;
  /** True if the last of them has a body. */
  hasBody: boolean;
  /** True if what arrived last ends amid a line. */
  amidLine: boolean;
  /** Called when a further head has begun to arrive. */
  heads(): void;
  readonly waiting: (() => void)[];
}

/** Begins the requests of each connection one after the other. */
export class Pipelines {
  readonly #lines = new WeakMap<Socket, Line>();
  #waiting = 0;

  /**
   * Stands between a socket and the parser that listens to it.
   *
   * @param heads Called when a further head has begun to arrive, and no request is under way.
   */
  watch(socket: Socket, heads: () => void): void {
    const [parse] = socket.listeners("data") as ((this: Socket, chunk: Uint8Array) => void)[];
    if (parse === undefined) return;
    const line = this.#lineOf(socket);
    line.heads = heads;
    let size = MIN_PARSED_BYTES;
    socket.off("data", parse);
    socket.on("data", (chunk) => {
      for (let at = 0; at < chunk.length && !socket.destroyed;) {
        if (line.waiting.length > 0) {
          socket.pause();
          return void socket.unshift(chunk.subarray(at));
        }
        const part = chunk.subarray(at, at + size);
        at += part.length;
        const before = line.seen;
        line.amidLine = part.at(-1) !== LINE_FEED;
        parse.call(socket, part);
        if (line.seen === before && !line.busy) heads();
        size = line.seen > before ? MIN_PARSED_BYTES : Math.min(2 * size, MAX_PARSED_BYTES);
      }
    });
  }

  /** Calls `begin` once the requests before it on the same connection were answered; never if that is closed before. */
  add(socket: Socket, answer: Answer, hasBody: boolean, begin: () => void): void {
    // One that was cut off may still be in the middle of a part.
    if (socket.destroyed) return;
    const line = this.#lineOf(socket);
    line.seen++;
    line.hasBody = hasBody;
    answer.once("close", () => this.#next(socket, line));
    if (!line.busy) {
      line.busy = true;
      return begin();
    }
    if (this.#waiting >= MAX_WAITING) return void socket.destroy();
    line.waiting.push(begin);
    this.#waiting++;
  }

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { busy: false, seen: 0, hasBody: false, amidLine: false, heads: () => {}, waiting: [] };
    this.#lines.set(socket, line);
    socket.once("close", () => {
      this.#waiting -= line.waiting.length;
      line.waiting.length = 0;
    });
    return line;
  }

  #next(socket: Socket, line: Line): void {
    const begin = socket.destroyed ? undefined : line.waiting.shift();
    line.busy = begin !== undefined;
    if (begin === undefined) {
      // A head may have begun together with the request that was answered. (In a body it can't be told apart.)
      if (line.amidLine && !line.hasBody) queueMicrotask(() => line.heads());
      return;
    }
    this.#waiting--;
    begin();
    if (line.waiting.length === 0) socket.resume();
  }
}
