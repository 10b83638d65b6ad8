/** A field that holds an IPv4 network. */
import { parsePrefix } from "../../network/address.ts";
import { scalar } from "./reading.ts";

export function ipv4Prefix(shortest: number, longest: number) {
  return scalar(
    `an IPv4 CIDR of length ${shortest} to ${longest}, such as "10.244.0.0/16"`,
    (input) => {
      if (typeof input !== "string" || input.length > 64) return null;
      try {
        const { family, length, first } = parsePrefix(input);
        if (family !== 4) return { problem: "IPv6 is not modelled yet" };
        if (length < shortest || length > longest) return null;
        return first === parsePrefix(`${input.slice(0, input.indexOf("/"))}/32`).first
          ? { value: input }
          : { problem: "not the first address of that network" };
      } catch {
        return null;
      }
    },
  );
}
