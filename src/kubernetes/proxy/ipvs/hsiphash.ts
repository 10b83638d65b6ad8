/**
 * hsiphash of one 32-bit word, as a 64-bit kernel computes it: SipHash-1-3 with a 64-bit state, of which the
 * lower half of the result counts.
 *
 * Owns: the function. Source: kernel lib/siphash.c, hsiphash_1u32.
 */
const MASK = (1n << 64n) - 1n;

const rotate = (value: bigint, bits: bigint): bigint =>
  ((value << bits) | (value >> (64n - bits))) & MASK;

/** @param key the halves of the key, which ip_vs_mh.c sets to one value */
export function hsiphash(word: number, [k0, k1]: readonly [bigint, bigint]): number {
  let v0 = 0x736f6d6570736575n ^ k0;
  let v1 = 0x646f72616e646f6dn ^ k1;
  let v2 = 0x6c7967656e657261n ^ k0;
  let v3 = 0x7465646279746573n ^ k1;
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const last = (4n << 56n) | BigInt(word >>> 0);
  v3 ^= last;
  round();
  v0 ^= last;
  v2 ^= 0xffn;
  round();
  round();
  round();
  return Number((v0 ^ v1 ^ v2 ^ v3) & 0xffff_ffffn);
}
