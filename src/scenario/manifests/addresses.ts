/**
 * IP addresses and ranges as they are written in manifests.
 *
 * Owns: reading them, and which addresses can be no destination (ValidateEndpointIP of Kubernetes).
 */
import { Address4, Address6 } from "ip-address";
import { parsePrefix } from "../../network/address.ts";
import { scalar } from "../schema/reading.ts";
import type { Parsed } from "../units.ts";

function parse(input: unknown): Parsed<string> | null {
  if (typeof input !== "string" || input.length > 64 || input.includes("/")) return null;
  if (Address4.isValid(input)) return { value: new Address4(input).correctForm() };
  return Address6.isValid(input) ? { value: new Address6(input).correctForm() } : null;
}

export const ipAddress = { parse, schema: scalar("an IP address", parse) };

/** A CIDR; blanks around it are no mistake to Kubernetes. */
export const addressRange = scalar(
  'a CIDR such as "10.240.0.0/24"',
  (input): Parsed<string> | null => {
    if (typeof input !== "string" || input.length > 64) return null;
    try {
      return { value: parsePrefix(input.trim()).text };
    } catch {
      return null;
    }
  },
);

const SPECIAL = [
  ["the unspecified address", ["0.0.0.0/32", "::/128"]],
  ["a loopback address", ["127.0.0.0/8", "::1/128"]],
  ["a link-local address", ["169.254.0.0/16", "fe80::/10"]],
  ["a link-local multicast address", ["224.0.0.0/24", "ff02::/10"]],
] as const;

/** What makes an address unfit as a destination, or null. */
export function whySpecial(address: string): string | null {
  const own = parsePrefix(`${address}/${address.includes(":") ? 128 : 32}`);
  const found = SPECIAL.find(([, ranges]) =>
    ranges
      .map(parsePrefix)
      .some(
        ({ family, first, last }) =>
          family === own.family && first <= own.first && own.first <= last,
      ),
  );
  return found?.[0] ?? null;
}
