/**
 * Connections that send any bytes, and read as much or as little as wanted.
 *
 * @module
 */

import { connect } from "node:net";
import type { Socket } from "node:net";

/** The way to send bytes and to wait for the answer. */
export interface Exchange {
  /** The parts to send, with a pause after each. */
  readonly parts: readonly Uint8Array[];
  /** The pause between two parts. @default 0 */
  readonly pauseMs?: number;
  /** Close after this long, answered or not. */
  readonly waitMs: number;
  /** Close without waiting for an answer, by a reset. @default false */
  readonly abort?: boolean;
}

/** The most bytes of an answer that are kept. */
const KEPT_BYTES = 16 * 1024;

/** Connects to a server. The socket never throws: its errors are a part of the game. */
export function open(address: string): Socket {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  return socket;
}

/** Sends bytes; returns the beginning of the answer as Latin-1. A refused connection has none. */
export function exchange(address: string, { parts, pauseMs = 0, waitMs, abort = false }: Exchange): Promise<string> {
  return new Promise((resolve) => {
    const socket = open(address);
    let answer = "";
    const end = (): void => {
      clearTimeout(timer);
      if (abort) socket.resetAndDestroy();
      else socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, waitMs);
    socket.on("data", (chunk: Uint8Array) => {
      if (answer.length < KEPT_BYTES) answer += latin1(chunk.subarray(0, KEPT_BYTES));
    });
    socket.on("close", end);
    const send = async (): Promise<void> => {
      for (const part of parts) {
        if (socket.destroyed) return;
        if (!socket.write(part)) await drained(socket);
        if (pauseMs > 0) await pause(pauseMs);
      }
      if (abort) end();
    };
    socket.once("connect", () => void send());
  });
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Resolves after some time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Encodes text as Latin-1, so that a test can write any byte. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Connections that stay open without being read, at most so many at a time. */
export class HeldSockets {
  readonly #max: number;
  readonly #sockets = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Opens one, sends bytes, and reads nothing; closes it after some time, or when others need the room. */
  hold(address: string, bytes: Uint8Array, forMs: number): void {
    const socket = open(address);
    socket.pause();
    this.#sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), forMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    socket.once("connect", () => void socket.write(bytes));
    if (this.#sockets.size > this.#max) this.#sockets.values().next().value?.destroy();
  }

  closeAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
