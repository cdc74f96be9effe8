/**
 * Names that are unique without asking anyone.
 *
 * @module
 */

/**
 * Returns 128 random bits in hexadecimal: the name of a data folder, of a
 * snapshot, of a cluster. Not by `crypto.randomUUID`, which pages of plain HTTP lack.
 *
 * @param random a number in [0, 1): `Host.random` of a node, or `secureRandom`
 */
export function randomId(random: () => number): string {
  let id = "";
  for (let i = 0; i < 8; i++) id += Math.floor(random() * 0x1_0000).toString(16).padStart(4, "0");
  return id;
}
