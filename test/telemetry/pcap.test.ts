/**
 * `--pcap`: what a capture on an interface would hold, read by tshark.
 *
 * Seen to fail: with checksums without the pseudo-header, with fragments that begin too early, with records in the order in which
 * they were told, with a TTL that no host lowers, with a train as one segment, and with frames whose receiver nobody filled in.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Flag } from "../../src/network/packet.ts";
import { UserError } from "../../src/scenario/mistakes.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { instrumentsOf } from "../../src/telemetry/index.ts";
import { PcapFile } from "../../src/telemetry/pcap/file.ts";
import { frameBytes, type Frame } from "../../src/telemetry/pcap/frames.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";
import { output, tool } from "./tools.ts";
import { echoManifest, storm, watched } from "./watched.ts";

const tshark = tool(["tshark"], ["--version"], "tshark");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-pcap-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Captures a run. @returns the files by the interface */
function captured(scenario: ResolvedScenario, ...interfaces: string[]): string[] {
  const pcap = interfaces.map((each, i) => `${each}=${join(folder, `${i}.pcap`)}`);
  const [instrument] = instrumentsOf({ pcap }, scenario, "1.2.3");
  watched(scenario, [instrument!]);
  return instrument!.paths.map((path) => {
    writeFileSync(
      path,
      Buffer.concat([...instrument!.content(path)].map((each) => Buffer.from(each))),
    );
    return path;
  });
}

/** Rows of fields, of the frames that match. */
function fields(file: string, filter: string, ...names: readonly string[]): string[][] {
  const checks = ["ip", "tcp", "udp"].flatMap((each) => ["-o", `${each}.check_checksum:TRUE`]);
  const asked = names.flatMap((name) => ["-e", name]);
  const words = ["-r", file, ...checks, "-Y", filter, "-T", "fields", ...asked];
  const lines = output(tshark!, words)
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => line.split("\t"));
}

/** Whatever tshark complains of. RSTs and retransmissions are no fault of the file. */
function complaints(file: string): string[] {
  const bad =
    "_ws.malformed or _ws.expert.severity == error or ip.checksum.status == 0 or tcp.checksum.status == 0 or udp.checksum.status == 0";
  const analysis =
    "tcp.analysis.lost_segment or tcp.analysis.ack_lost_segment or tcp.analysis.out_of_order";
  return fields(file, `${bad} or ${analysis}`, "frame.number", "_ws.col.Info").map((row) =>
    row.join(" "),
  );
}

describe.skipIf(tshark === null)("a storm, captured", () => {
  let pod: string;
  let bridge: string;
  let wire: string;
  let server: string;
  beforeAll(async () => {
    const scenario = await storm();
    // The client's pod and its node; on another node the pods that go.
    [pod, bridge, wire, server] = captured(
      scenario,
      "pod/client-new-0:eth0",
      "node-3:cni0",
      "node-3:eth0",
      "node-1:eth0",
    ) as [string, string, string, string];
  });

  it("opens without an error", () => {
    for (const file of [pod, bridge, wire, server]) {
      expect(fields(file, "tcp", "frame.number").length).toBeGreaterThan(100);
      expect(complaints(file)).toEqual([]);
    }
  });

  it("shows the handshake before and after the translation, the same bytes", () => {
    const names = ["ip.src", "ip.dst", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw"];
    const [[source, , servicePort]] = fields(pod, "tcp.flags == 2", ...names) as [string[]];
    expect(servicePort).toBe("8080");
    const port = fields(pod, "tcp.flags == 2", "tcp.srcport")[0]![0]!;
    const before = fields(pod, `tcp.port == ${port}`, "tcp.flags.str", ...names);
    const flags = before.map(([each]) => each!.replaceAll("·", ""));
    expect(flags.slice(0, 3)).toEqual(["S", "AS", "AP"]);
    // 8 KiB in six segments, the last of which ends the message and the stream.
    expect(flags.slice(3, 9)).toEqual(["A", "A", "A", "A", "A", "APF"]);
    const after = [
      ...fields(wire, `tcp.port == ${port} and ip.addr == ${source}`, ...names),
      ...fields(bridge, `tcp.port == ${port} and tcp.port == 80`, ...names),
    ];
    expect(after.length).toBeGreaterThan(0);
    expect(after.every((row) => row[0] !== before[0]![2] && row[1] !== before[0]![2])).toBe(true);
    const numbers = new Set(before.map((row) => `${row[4]} ${row[5]}`));
    for (const row of after) expect(numbers).toContain(`${row[3]} ${row[4]}`);
  });

  it("numbers what is sent again as before, and counts times up", () => {
    const again = fields(pod, "tcp.analysis.retransmission", "tcp.seq");
    const syns = fields(pod, "tcp.flags == 2", "tcp.srcport", "tcp.seq_raw");
    const byPort = new Map<string, Set<string>>();
    for (const [port, seq] of syns) byPort.set(port!, (byPort.get(port!) ?? new Set()).add(seq!));
    expect([...byPort.values()].every(({ size }) => size === 1)).toBe(true);
    expect(again.every(([seq]) => seq === "0")).toBe(true);
    const times = fields(wire, "frame", "frame.time_epoch").map(([time]) => Number(time));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(6.01);
  });

  it("lowers the TTL at each host that routes it", () => {
    expect(
      new Set(
        fields(
          pod,
          "ip.src == 10.244.0.0/16 and tcp.dstport == 8080 and not icmp",
          "ip.ttl",
        ).flat(),
      ),
    ).toEqual(new Set(["64"]));
    const forwarded = fields(
      wire,
      "ip.src == 10.244.2.0/24 and tcp.flags == 2 and not icmp",
      "ip.ttl",
    ).flat();
    expect(new Set(forwarded)).toEqual(new Set(["63"]));
    const answers = fields(pod, "tcp.srcport == 8080 and tcp.flags == 18", "ip.ttl").flat();
    expect(answers).toContain("62");
  });

  it("shows who is at the ends of each link", () => {
    const out = fields(wire, "tcp and not icmp and ip.src == 10.244.2.0/24", "eth.src", "eth.dst");
    expect(new Set(out.map(([from]) => from)).size).toBe(1);
    const to = new Set(out.map(([, each]) => each));
    expect(to).not.toContain("00:00:00:00:00:00");
    const came = fields(
      server,
      "tcp and not icmp and ip.src == 10.244.2.0/24",
      "eth.src",
      "eth.dst",
    );
    expect(came.every(([from, own]) => from === out[0]![0] && to.has(own))).toBe(true);
  });
});

describe.skipIf(tshark === null)("UDP and ICMP", () => {
  it("shows datagrams in fragments that come together again", async () => {
    const text = `import { defineScenario, openLoop, pods } from "podstorm";
export default defineScenario({
  duration: "1s",
  cluster: { nodes: 2, manifests: ["udp.yaml"] },
  clients: [{ name: "ask", from: pods(1), to: "svc/echo:53", requestSize: "4Ki", load: openLoop(20), timeout: "1s" }],
});`;
    const files = { "scenario.ts": text, "udp.yaml": echoManifest };
    const scenario = await loadFiles(files, { profile: defaultProfile });
    const [file] = captured(scenario, "pod/client-ask-0:eth0");
    const asked = fields(
      file!,
      "ip.src == 10.244.0.0/16 and ip.flags.mf == 1 and ip.frag_offset == 0",
      "udp.length",
    );
    expect(asked[0]).toEqual([String(4096 + 8)]);
    const offsets = fields(
      file!,
      "ip.dst == 10.96.0.0/12",
      "ip.frag_offset",
      "ip.flags.mf",
      "ip.len",
    );
    // In bytes or, by older versions, in units of 8.
    const unit = Number(offsets[1]![0]) === 185 ? 8 : 1;
    expect(offsets.slice(0, 3).map(([at, ...rest]) => [Number(at) * unit, ...rest])).toEqual([
      [0, "1", "1500"],
      [1480, "1", "1500"],
      [2960, "0", "1164"],
    ]);
    expect(complaints(file!)).toEqual([]);
  });

  it("shows what a Service without endpoints answers", async () => {
    const text = `import { defineScenario, openLoop, pods } from "podstorm";
export default defineScenario({
  duration: "1s",
  cluster: { nodes: 1, manifests: ["web.yaml"] },
  clients: [{ name: "ask", from: pods(1), to: "svc/web:8080", load: openLoop(5), timeout: "1s" }],
});`;
    const files = { "scenario.ts": text, "web.yaml": webManifest({ replicas: 0 }) };
    const scenario = await loadFiles(files, { profile: defaultProfile });
    const [file] = captured(scenario, "pod/client-ask-0:eth0");
    const errors = fields(file!, "icmp", "icmp.type", "icmp.code", "ip.dst", "tcp.dstport");
    expect(errors.length).toBeGreaterThan(0);
    expect(errors[0]!.slice(0, 2)).toEqual(["3", "3"]);
    // Addressed to the client, about a SYN to the Service's port.
    expect(errors[0]![3]).toBe("8080");
    expect(complaints(file!)).toEqual([]);
  });

  it("is right in IPv6 too", () => {
    const capture = new PcapFile();
    const own = (last: number) => ({
      family: 6 as const,
      bytes: Uint8Array.from([0xfd, 0, ...Array.from({ length: 13 }, () => 0), last]),
    });
    const frame: Frame = { ...made, source: own(1), destination: own(2) };
    const shapes: Partial<Frame>[] = [
      { flags: Flag.syn },
      { flags: Flag.rst, seq: 0, ack: 5 },
      { protocol: 17, payloadBytes: 0 },
      { flags: Flag.icmpPortUnreachable },
      { flags: Flag.icmpHostUnreachable, protocol: 17 },
      {
        protocol: 17,
        payloadBytes: 1432,
        fragment: { offsetBytes: 0, more: true, allBytes: 1500 },
      },
      {
        protocol: 17,
        payloadBytes: 68,
        fragment: { offsetBytes: 1440, more: false, allBytes: 1500 },
      },
    ];
    for (const [i, shape] of shapes.entries()) {
      const { bytes, wholeBytes } = frameBytes({ ...frame, sourcePort: 40_000 + i, ...shape });
      capture.add(i, bytes, wholeBytes);
    }
    const file = join(folder, "v6.pcap");
    writeFileSync(file, Buffer.concat([...capture.chunks()].map((each) => Buffer.from(each))));
    expect(complaints(file)).toEqual([]);
    expect(fields(file, "icmpv6", "icmpv6.type", "icmpv6.code")).toEqual([
      ["1", "4"],
      ["1", "3"],
    ]);
    expect(fields(file, "icmpv6.checksum.status == 0", "frame.number")).toEqual([]);
    expect(fields(file, "tcp.flags == 20", "tcp.ack_raw")).toEqual([["5"]]);
  });
});

const address = (last: number) => ({
  family: 4 as const,
  bytes: Uint8Array.from([10, 0, 0, last]),
});
const made: Frame = {
  sourceMac: Uint8Array.from([2, 0, 0, 0, 0, 1]),
  destinationMac: Uint8Array.from([2, 0, 0, 0, 0, 2]),
  source: address(1),
  destination: address(2),
  sourcePort: 32_768,
  destinationPort: 80,
  protocol: 6,
  ttl: 64,
  identification: 7,
  flags: Flag.ack | Flag.push,
  seq: 0x01020304,
  ack: 0x05060708,
  timestamp: 9,
  echo: 8,
  payloadBytes: 1001,
  mssBytes: 1460,
  fragment: null,
};

describe("a frame", () => {
  it("has the checksum of the whole packet, whose payload is zeros", () => {
    const { bytes, wholeBytes } = frameBytes(made);
    expect(wholeBytes).toBe(14 + 20 + 32 + 1001);
    expect(bytes).toHaveLength(14 + 20 + 32);
    const sum = (part: Uint8Array, from: number): number => {
      let all = from;
      for (let i = 0; i < part.length; i += 2) all += (part[i]! << 8) + (part[i + 1] ?? 0);
      while (all > 0xffff) all = (all & 0xffff) + (all >>> 16);
      return all;
    };
    expect(sum(bytes.subarray(14, 34), 0)).toBe(0xffff);
    const pseudo = sum(bytes.subarray(26, 34), 6 + 32 + 1001);
    expect(sum(bytes.subarray(34), pseudo)).toBe(0xffff);
  });
});

describe("--pcap", () => {
  it("says what is wrong before the run", async () => {
    const scenario = await storm();
    const mistake = (...pcap: string[]): string => {
      try {
        for (const each of instrumentsOf({ pcap }, scenario, "1.2.3")) watched(scenario, [each]);
      } catch (error) {
        if (error instanceof UserError) return error.message;
        throw error;
      }
      return "";
    };
    expect(mistake("eth0")).toContain('"eth0"; allowed: "NODE:eth0=FILE"');
    expect(mistake("node-9:eth0=a", "node-1:eth1=b").split("\n")).toEqual([
      expect.stringContaining("node-9: there is no such host") as string,
      "--pcap: node-1 has no interface eth1; allowed: lo, eth0, cni0",
    ]);
    expect(mistake("node-9:eth0=a")).toContain("did you mean node-");
  });
});
