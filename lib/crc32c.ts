/**
 * CRC-32C (Castagnoli), which guards snapshots in storage and on their way.
 *
 * @module
 */

type Eight<T> = [T, T, T, T, T, T, T, T];

/** Eight tables, to take eight bytes a turn ("slicing-by-8"). */
const tables: readonly Int32Array[] = (() => {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[byte] = crc;
  }
  const all = [first];
  for (let n = 1; n < 8; n++) {
    const before = all[n - 1] as Int32Array;
    all.push(before.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] as number)));
  }
  return all;
})();

/**
 * The checksum of `data`, or of `data` after what gave `previous`.
 *
 * @returns an unsigned 32-bit number
 * @example
 * ```ts
 * import { crc32c } from "./lib/crc32c.ts";
 *
 * const whole = crc32c(new Uint8Array([1, 2, 3, 4]));
 * const parts = crc32c(new Uint8Array([3, 4]), crc32c(new Uint8Array([1, 2])));
 * console.log(whole === parts); // true
 * ```
 */
export function crc32c(data: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as Eight<Int32Array>;
  let crc = ~previous;
  let i = 0;
  for (const end = data.length - 7; i < end; i += 8) {
    crc ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    crc = t7[crc & 0xff]! ^ t6[(crc >>> 8) & 0xff]! ^ t5[(crc >>> 16) & 0xff]! ^ t4[crc >>> 24]! ^
      t3[data[i + 4]!]! ^ t2[data[i + 5]!]! ^ t1[data[i + 6]!]! ^ t0[data[i + 7]!]!;
  }
  for (; i < data.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ data[i]!) & 0xff]!;
  return ~crc >>> 0;
}
