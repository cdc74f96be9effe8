/**
 * Snapshot streams in tests.
 *
 * @module
 */

/** Reads all bytes of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk.slice());
    length += chunk.length;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Yields the bytes as chunks that are cut at random places, including empty ones. */
export async function* recut(bytes: Uint8Array, random: () => number): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < bytes.length;) {
    const length = Math.floor(random() * random() * 3000);
    yield bytes.slice(offset, offset + length);
    offset += length;
  }
}

/** Reports whether two byte arrays are equal; faster than a deep comparison. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
