/**
 * `sim rules` and `sim trace` on the command line: what they are asked, what they print, and what they say of
 * mistakes.
 *
 * Seen to fail: with --at taken as the end of the run, with the instant not checked against it, and with the
 * names of nodes not looked up.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import { loadScenario } from "../../src/scenario/index.ts";
import { fakeDependencies, fakeLook, fakeTerminal } from "./fakes.ts";

const at1s = ["--at", "1s"];

describe("with stand-ins for the rooms", () => {
  it.each([
    [["rules", "s.ts", "--node", "n1"], "rules of n1, IPv4, at 0\n"],
    [
      ["rules", "s.ts", "--node", "n1", "--family", "6", ...at1s],
      "rules of n1, IPv6, at 1000000000\n",
    ],
    [["trace", "s.ts", "--from", "a", "--to", "b"], "text from a to b at 0\n"],
    [["timeline", "s.ts", "--pod", "a-*"], "a-* until 2000000000 text\n"],
    [["timeline", "s.ts", "--pod", "a", "-o", "json", ...at1s], "a until 1000000000 json\n"],
    [["explain", "s.ts", "--request", "6"], 'text {"request":6} 2000000000\n'],
    [
      ["explain", "s.ts", "--first-failure", "refused", "-o", "json"],
      'json {"firstFailure":1} 2000000000\n',
    ],
    [
      ["trace", "s.ts", "--from", "a", "--to", "b", "-o", "dot", ...at1s],
      "dot from a to b at 1000000000\n",
    ],
  ])("%j", async (argv, printed) => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies();
    const code = await runCli([...argv, "--seed", "7", "-e", "A=1"], io, dependencies);
    expect([code, io.out(), io.err()]).toEqual([0, printed, ""]);
    expect(dependencies.asked).toEqual([
      { file: "s.ts", overrides: { env: { A: "1" }, seed: "7" } },
    ]);
  });

  it.each([
    [["rules", "s.ts"], /required option '--node <name>' not specified/],
    [["rules", "s.ts", "--node", "n1", "--family", "5"], /Allowed choices are 4, 6/],
    [["timeline", "s.ts"], /required option '--pod <pattern>' not specified/],
    [["explain", "s.ts"], /--request: neither it nor --first-failure; allowed: one of the two/],
    [["explain", "s.ts", "--request", "1", "--first-failure", "reset"], /--request: both it and/],
    [["explain", "s.ts", "--request", "-1"], /--request: "-1"; allowed: a whole number from 0/],
    [["explain", "s.ts", "--first-failure", "refusd"], /"refusd"; .*did you mean "?refused/],
    [["trace", "s.ts", "--from", "a"], /required option '--to <target>' not specified/],
    [
      ["trace", "s.ts", "--from", "a", "--to", "b", "-o", "svg"],
      /Allowed choices are text, json, mermaid, dot/,
    ],
  ])("%j is a mistake", async (argv, said) => {
    const io = fakeTerminal();
    expect(await runCli(argv, io, fakeDependencies())).toBe(2);
    expect(io.err()).toMatch(said);
    expect(io.out()).toBe("");
  });

  it("a fault in the model gives 1 and the command that repeats it", async () => {
    const io = fakeTerminal();
    const look = async () =>
      Object.assign(fakeLook(), {
        trace: () => {
          throw new Error("a tap without a barrel");
        },
      });
    const argv = ["trace", "s.ts", "--from", "a", "--to", "b", ...at1s];
    expect(await runCli(argv, io, fakeDependencies({ look }))).toBe(1);
    expect(io.err()).toContain("at 1000000000 ns simulated time\nError: a tap without a barrel");
    expect(io.err()).toContain("  sim trace s.ts --from a --to b --at 1s --seed 1\n");
  });

  it("Ctrl-C on the way to the instant gives 130", async () => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies({ onSlice: io.interrupt });
    const argv = ["rules", "s.ts", "--node", "n1", ...at1s];
    expect(await runCli(argv, io, dependencies)).toBe(130);
    expect(io.out()).toBe("");
  });
});

describe("with the real rooms", () => {
  const hello = "scenarios/hello.ts";
  // The TypeScript compiler has nothing to say about these, and takes its time.
  const dependencies = { ...realDependencies(), loadScenario };

  async function sim(...argv: readonly string[]): Promise<ReturnType<typeof fakeTerminal>> {
    const io = fakeTerminal();
    const before = readdirSync(".");
    const code = await runCli(argv, io, dependencies);
    expect(code).toBe(io.err() === "" ? 0 : 2);
    expect(readdirSync(".")).toEqual(before);
    return io;
  }

  it("rules of a node at rest", async () => {
    const io = await sim("rules", hello, "--node", "node-1");
    await expect(io.out()).toMatchFileSnapshot("../inspect/golden/rules.txt");
  });

  it("a pod that is killed leaves the rules, and its successor comes", async () => {
    const storm = ["rules", "scenarios/reset-storm.ts", "--node", "node-1", "--at"];
    const endpointsAt = async (at: string): Promise<Set<string>> => {
      const io = await sim(...storm, at);
      return new Set(io.out().match(/(?<=--to-destination )\S+/g));
    };
    const before = await endpointsAt("20s");
    const during = await endpointsAt("21500ms");
    const after = await endpointsAt("60s");
    expect(before.size).toBe(12);
    expect(during.size).toBeLessThan(12);
    expect([...during].filter((each) => !before.has(each))).toEqual([]);
    expect(after.size).toBe(12);
    expect(after).not.toEqual(before);
  });

  it.each([
    [
      ["rules", hello, "--node", "node-3"],
      '--node: no node "node-3"; allowed: one of node-1, node-2 (did you mean node-1?)',
    ],
    [
      ["rules", hello, "--node", "node-1", "--at", "11s"],
      '--at: "11s" (after the end of the run at 10s); allowed: a duration such as "30s", "1m30s" or "250ms", up to 10s',
    ],
    [
      ["rules", hello, "--node", "node-1", "--at", "12"],
      '--at: "12" (the unit is missing); allowed: a duration such as "30s", "1m30s" or "250ms", up to 10s',
    ],
    [
      ["trace", hello, "--from", "pod/helo", "--to", "svc/hallo:80"],
      "--from: no pod default/helo; allowed: one of pod/hello, pod/client-curl-0 (did you mean pod/hello?)\n" +
        "--to: no Service default/hallo; allowed: one of svc/hello (did you mean svc/hello?)",
    ],
    [
      ["trace", hello, "--from", "svc/hello", "--to", "svc/hello:81"],
      '--from: "svc/hello"; allowed: "pod/NAME", "NAMESPACE/pod/NAME", "node/NAME", "container/NAME", "host/NAME" of a Docker host, "outside" or "outside/NAME"\n' +
        "--to: no port 81 of default/hello; allowed: one of the ports 80",
    ],
    [
      ["trace", hello, "--from", "node/node-0", "--to", "10.0.0.256:80"],
      "--from: no node node-0; allowed: one of node/node-1, node/node-2 (did you mean node/node-1?)\n" +
        '--to: "10.0.0.256:80"; allowed: an IP address and a port from 1 to 65535',
    ],
  ])("%j is a mistake, each said", async (argv, said) => {
    const io = await sim(...argv);
    expect(io.err()).toBe(`${said}\n`);
    expect(io.out()).toBe("");
  });
});
