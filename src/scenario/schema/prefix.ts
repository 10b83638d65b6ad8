/** Fields that hold IP networks: one of IPv4, or one of each family. */
import { parsePrefix } from "../../network/address.ts";
import { scalar } from "./reading.ts";

/** Shortest and longest prefix of a family. */
type Lengths = readonly [shortest: number, longest: number];

export function ipv4Prefix(shortest: number, longest: number) {
  return scalar(allowedOf([shortest, longest]), (input) => {
    if (typeof input !== "string" || input.length > 64) return null;
    return checked(input, prefixProblem(input, 4, [shortest, longest]));
  });
}

/** One IPv4 network, or with dual stack an IPv4 and an IPv6 one with a comma between. */
export function ipPrefixes(ipv4: Lengths, ipv6: Lengths) {
  const allowed = `${allowedOf(ipv4)}, or that and an IPv6 one of length ${ipv6.join(" to ")} after a comma`;
  return scalar(allowed, (input) => {
    if (typeof input !== "string" || input.length > 128) return null;
    const [first = "", second, ...more] = input.split(",");
    if (more.length > 0) return null;
    const problem = prefixProblem(first, 4, ipv4);
    if (problem !== undefined || second === undefined) return checked(input, problem);
    return checked(input, prefixProblem(second, 6, ipv6));
  });
}

function allowedOf([shortest, longest]: Lengths): string {
  return `an IPv4 CIDR of length ${shortest} to ${longest}, such as "10.244.0.0/16"`;
}

function checked(value: string, problem: string | null | undefined) {
  if (problem === undefined) return { value };
  return problem === null ? null : { problem };
}

/** What is wrong, undefined for nothing; null where what is allowed says enough. */
function prefixProblem(
  text: string,
  family: 4 | 6,
  [shortest, longest]: Lengths,
): string | null | undefined {
  try {
    const prefix = parsePrefix(text);
    if (prefix.family !== family) {
      return family === 4 ? "IPv4 comes first, and is not left out" : "twice IPv4";
    }
    if (prefix.length < shortest || prefix.length > longest) return null;
    const address = text.slice(0, text.indexOf("/"));
    const { first } = parsePrefix(`${address}/${family === 4 ? 32 : 128}`);
    return prefix.first === first ? undefined : "not the first address of that network";
  } catch {
    return null;
  }
}
