/**
 * IP addresses as small integers.
 *
 * Owns: interning (each address text has one id in a simulation) and prefix tests. Refuses to own:
 * who holds an address (namespaces do) and how one is chosen (ipam/). Parsing is ip-address's, but for IPv4
 * addresses in their plain form.
 */
import { Address4, Address6 } from "ip-address";

/** Index into one simulation's AddressTable. Compared, never computed with. */
export type AddressId = number;

/** No address: an absent translation, an unset source. */
export const NO_ADDRESS: AddressId = -1;

/** A network in binary form, for repeated tests against ids. */
export interface Prefix {
  readonly text: string;
  readonly family: 4 | 6;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
}

export class AddressTable {
  /** 127.0.0.1, which every namespace holds, once somebody uses it. */
  loopback: AddressId = NO_ADDRESS;
  readonly #ids = new Map<string, AddressId>();
  readonly #texts: string[] = [];
  readonly #values: bigint[] = [];
  readonly #words: number[] = [];
  readonly #families: (4 | 6)[] = [];

  /** The id of an address. @throws RangeError if the text is no IP address. */
  intern(text: string): AddressId {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const { family, value, canonical } = parseAddress(text);
    const same = this.#ids.get(canonical);
    const id = same ?? this.#append(family, value, canonical);
    this.#ids.set(text, id);
    return id;
  }

  /** The id of an address given as a number within its family. */
  internValue(family: 4 | 6, value: bigint): AddressId {
    const text =
      family === 4 ? Address4.fromBigInt(value).address : Address6.fromBigInt(value).correctForm();
    return this.intern(text);
  }

  text(id: AddressId): string {
    return this.#texts[id] ?? "(none)";
  }

  /** An address as one 32-bit word, as the kernel folds it for hashing: IPv6 by exclusive or. */
  fold(id: AddressId): number {
    return this.#words[id]!;
  }

  family(id: AddressId): 4 | 6 {
    return this.#families[id] as 4 | 6;
  }

  contains(prefix: Prefix, id: AddressId): boolean {
    const value = this.#values[id];
    return (
      value !== undefined &&
      this.#families[id] === prefix.family &&
      value >= prefix.first &&
      value <= prefix.last
    );
  }

  /** Its first `length` bits, as a number: a bigint for IPv6. */
  prefixBits(id: AddressId, length: number): number | bigint {
    if (this.#families[id] === 6) return this.#values[id]! >> BigInt(128 - length);
    return Math.floor(this.#words[id]! / 2 ** (32 - length));
  }

  #append(family: 4 | 6, value: bigint, canonical: string): AddressId {
    const id = this.#texts.length;
    this.#texts.push(canonical);
    this.#values.push(value);
    this.#words.push(fold(value));
    this.#families.push(family);
    this.#ids.set(canonical, id);
    return id;
  }
}

function fold(value: bigint): number {
  let word = 0n;
  for (let rest = value; rest > 0n; rest >>= 32n) word ^= rest & 0xffff_ffffn;
  return Number(word);
}

/** Whether a text is an address of that family, in whatever form. */
export function isAddress(text: string, family: 4 | 6): boolean {
  return (family === 4 ? Address4 : Address6).isValid(text);
}

/** @throws RangeError if the text is no CIDR prefix. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/");
  const length = Number(text.slice(slash + 1));
  const { family, value } = parseAddress(slash < 0 ? "" : text.slice(0, slash));
  const bits = family === 4 ? 32 : 128;
  if (!/^\d+$/.test(text.slice(slash + 1)) || length > bits) {
    throw new RangeError(`not a CIDR prefix: ${JSON.stringify(text)}`);
  }
  const hostBits = BigInt(bits - length);
  const first = (value >> hostBits) << hostBits;
  return { text, family, length, first, last: first + (1n << hostBits) - 1n };
}

/** One prefix, or one of each family with a comma between, as Kubernetes writes dual stack. */
export function parsePrefixes(text: string): readonly Prefix[] {
  return text.split(",").map((each) => parsePrefix(each));
}

/** The plain form of an IPv4 address, which nearly all are in: a large cluster has tens of thousands. */
const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

function parseDotted(text: string): bigint | null {
  const octets = DOTTED.exec(text)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > 255)) return null;
  return BigInt(octets.reduce((word, octet) => word * 256 + octet, 0));
}

/** IPv4 in IPv6's clothes, which Go takes for IPv4. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** As Kubernetes' ParseIPSloppy: leading zeros of IPv4 mean nothing, "::ffff:10.0.0.1" is IPv4. */
function parseAddress(text: string): { family: 4 | 6; value: bigint; canonical: string } {
  const value = parseDotted(text);
  if (value !== null) return { family: 4, value, canonical: text };
  if (!text.includes("/")) {
    const plain = text.replace(MAPPED, "");
    const dotted = plain.includes(":") ? plain : plain.replaceAll(/(?<!\d)0+(?=\d)/g, "");
    if (Address4.isValid(dotted)) {
      const address = new Address4(dotted);
      return { family: 4, value: address.bigInt(), canonical: address.correctForm() };
    }
    if (Address6.isValid(text)) {
      const address = new Address6(text);
      return { family: 6, value: address.bigInt(), canonical: address.correctForm() };
    }
  }
  throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
}
