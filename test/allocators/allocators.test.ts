/** ClusterIP and node port allocation by the rules of the API server. */
import { describe, expect, test } from "vitest";
import { RandomStreams, type RandomStream } from "../../src/engine/index.ts";
import { ClusterIpAllocator } from "../../src/kubernetes/allocators/cluster-ip.ts";
import { NodePortAllocator } from "../../src/kubernetes/allocators/node-port.ts";

/** A stream whose every integer is `n` modulo the range. */
function always(n: number): RandomStream {
  return { uniform: () => 0.5, below: (limit) => n % limit };
}

function firstAddress(seed: string): string | null {
  return new ClusterIpAllocator("10.96.0.0/12", new RandomStreams(seed).get("x")).takeNext();
}

describe("ClusterIP", () => {
  test("an IPv6 /112 keeps its first 256 addresses for static use, and has no broadcast address", () => {
    const addresses = new ClusterIpAllocator("fd00:10:96::/112", always(0));
    expect(addresses.free).toBe(65_535);
    expect(addresses.takeNext()).toBe("fd00:10:96::101");
    expect(addresses.take("fd00:10:96::ffff")).toBeNull();
    expect(addresses.take("fd00:10:96:0::ffff")).toBe("taken");
    expect(
      ["fd00:10:96::", "fd00:10:97::1", "10.0.0.1"].map((each) => addresses.take(each)),
    ).toEqual(["outside", "outside", "outside"]);
    expect(() => new ClusterIpAllocator("fd00::/64", always(0))).toThrow(/length 108 to 126/);
  });

  test("a /24 keeps .1 to .16 for static use: dynamic addresses begin at .17", () => {
    // min(max(16, 256 / 16), 256) = 16 of 254 usable addresses.
    expect(new ClusterIpAllocator("10.0.0.0/24", always(0)).takeNext()).toBe("10.0.0.17");
  });

  test("a /12 keeps 256 addresses for static use", () => {
    expect(new ClusterIpAllocator("10.96.0.0/12", always(0)).takeNext()).toBe("10.96.1.1");
  });

  test("a range of 16 addresses is not split", () => {
    expect(new ClusterIpAllocator("10.0.0.0/28", always(0)).takeNext()).toBe("10.0.0.1");
  });

  test("the scan wraps at the end of the upper band", () => {
    // The last usable address is .254, 237 slots after .17.
    const addresses = new ClusterIpAllocator("10.0.0.0/24", always(237));
    expect(addresses.takeNext()).toBe("10.0.0.254");
    expect(addresses.takeNext()).toBe("10.0.0.17");
  });

  test("the lower band is used only when the upper one is full, and then nothing is left", () => {
    const addresses = new ClusterIpAllocator("10.0.0.0/24", always(0));
    const given = Array.from({ length: 254 }, () => addresses.takeNext());
    expect(given[237]).toBe("10.0.0.254");
    expect(given[238]).toBe("10.0.0.1");
    expect(new Set(given).size).toBe(254);
    expect(addresses.takeNext()).toBeNull();
  });

  test("network, broadcast and foreign addresses are outside, a second taker is refused", () => {
    const addresses = new ClusterIpAllocator("10.0.0.0/24", always(0));
    const tries = ["10.0.0.0", "10.0.0.255", "10.0.1.1", "::1", "10.0.0.5", "10.0.0.5"];
    expect(tries.map((address) => addresses.take(address))).toEqual([
      "outside",
      "outside",
      "outside",
      "outside",
      null,
      "taken",
    ]);
  });

  test("a released address may be given again at once", () => {
    const addresses = new ClusterIpAllocator("10.0.0.0/24", always(0));
    addresses.takeNext();
    addresses.release("10.0.0.17");
    expect(addresses.takeNext()).toBe("10.0.0.17");
  });

  test("the same seed gives the same addresses, another seed others", () => {
    expect(firstAddress("1")).toBe(firstAddress("1"));
    expect(firstAddress("1")).not.toBe(firstAddress("2"));
  });
});

describe("node port", () => {
  test("30000 to 30085 are kept for static use", () => {
    // min(max(16, 2768 / 32), 128) = 86.
    expect(new NodePortAllocator(always(0)).takeNext()).toBe(30_086);
  });

  test("the range ends at 32767 and then wraps to 30086", () => {
    const ports = new NodePortAllocator(always(32_767 - 30_086));
    expect([ports.takeNext(), ports.takeNext()]).toEqual([32_767, 30_086]);
  });

  test("only 30000 to 32767 may be asked for, each once", () => {
    const ports = new NodePortAllocator(always(0));
    const tries = [29_999, 32_768, 31_000.5, 30_000, 30_000, 32_767];
    expect(tries.map((port) => ports.take(port))).toEqual([
      "outside",
      "outside",
      "outside",
      null,
      "taken",
      null,
    ]);
  });
});
