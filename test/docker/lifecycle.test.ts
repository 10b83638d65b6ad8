/**
 * A container's life: addresses and ports that are taken at a start and given back at the end, restart policies,
 * docker stop, and what a client sees meanwhile.
 *
 * Seen to fail: with host-local's cycling range (a restarted container did not get its address back); with the
 * address kept over a stop (nobody could take it); with the ports kept after an exit (the second start failed too); with a
 * failed start that keeps its address; with the back-off never reset, and never doubled; with `docker kill` counted as a crash.
 */
import { describe, expect, it } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import type { RestartPolicy } from "../../src/docker/contract.ts";
import { dockerRig, published } from "../helpers/docker.ts";

const always: RestartPolicy = { name: "always", maximumRetryCount: null };

describe("an address", () => {
  it("is the lowest that is free: a restart gets back what it gave", () => {
    const rig = dockerRig();
    const names = ["a", "b", "c"];
    const [a, b, c] = names.map((name) => rig.run({ name }));
    expect([a!, b!, c!].map(({ address }) => rig.text(address))).toEqual([
      "172.17.0.2",
      "172.17.0.3",
      "172.17.0.4",
    ]);
    b!.restart();
    rig.sim.run(seconds(1));
    expect(rig.text(b!.address)).toBe("172.17.0.3");
  });

  it("is another when somebody took it meanwhile, and hosts count by themselves", () => {
    const rig = dockerRig();
    const web = rig.run({ name: "web" });
    web.stop();
    rig.sim.run(seconds(1));
    expect(rig.text(web.address)).toBe("none");
    const batch = rig.run({ name: "batch" });
    web.start();
    const other = rig.run({ name: "other", host: "docker-2" });
    const texts = [batch, web, other].map(({ address }) => rig.text(address));
    expect(texts).toEqual(["172.17.0.2", "172.17.0.3", "172.17.0.2"]);
  });

  it("that a client remembers leads to nobody, then to whoever has it now", () => {
    const rig = dockerRig();
    const web = rig.run({ name: "web" });
    const remembered = web.address;
    const from = rig.host("docker-1").namespace;
    // A request each second from 1 s to 12 s, on connections of their own.
    rig.client(from, remembered, 80, { stopNs: seconds(12.5) });
    rig.sim.run(seconds(2.5));
    web.stop();
    rig.sim.run(seconds(8.5));
    // Takes 172.17.0.2, and answers there from 8.9 s on; its workload is number 1.
    rig.run({ name: "batch" });
    rig.sim.run(seconds(20));
    expect(rig.outcomes.slice(0, 2)).toEqual(["served", "served"]);
    expect(rig.outcomes).toContain("unreachable");
    expect(rig.outcomes.slice(-4)).toEqual(["misrouted", "misrouted", "misrouted", "misrouted"]);
  });

  it("of which there is none left is the daemon's error", () => {
    const rig = dockerRig({ bridgeCIDR: "172.17.0.0/29" });
    for (let i = 0; i < 5; i++) rig.run({ name: `c${i}` });
    rig.sim.run(seconds(1));
    const last = rig.run({ name: "last" });
    expect(rig.events.at(-1)).toMatch(/container_start_failed container\/last no available IPv4/);
    expect(last.state).toBe("created");
  });
});

describe("a host port", () => {
  const bind = "Bind for 0.0.0.0:8080 failed: port is already allocated";

  it("that a container of the daemon holds: the second start fails, at its time", () => {
    const rig = dockerRig();
    rig.run({ name: "first", publish: published("8080:80") });
    const second = rig.run({ name: "second", publish: published("8080:81"), startNs: seconds(3) });
    rig.sim.run(seconds(5));
    expect(rig.events).toEqual([`3.000: container_start_failed container/second ${bind}`]);
    expect(second.state).toBe("created");
    // It has taken nothing: not even the address.
    expect(rig.text(rig.run({ name: "third" }).address)).toBe("172.17.0.3");
  });

  it("is free again when its container has ended", () => {
    const rig = dockerRig();
    const first = rig.run({ name: "first", publish: published("8080:80") });
    const second = rig.run({ name: "second", publish: published("8080:80"), startNs: seconds(3) });
    rig.sim.run(seconds(4));
    first.kill();
    rig.sim.run(seconds(5));
    second.start();
    rig.sim.run(seconds(6));
    expect(second.state).toBe("running");
    first.start();
    expect(rig.events.at(-1)).toBe(`6.000: container_start_failed container/first ${bind}`);
    expect(first.state).toBe("exited");
  });

  it("that another process holds is the kernel's error, and the other way round", () => {
    const rig = dockerRig();
    rig.run({ name: "nginx", network: "host", exposedPorts: [80] });
    rig.run({ name: "web", publish: published("80:80"), startNs: seconds(1) });
    rig.sim.run(seconds(1.5));
    const address = "listen tcp 0.0.0.0:80: bind: address already in use";
    expect(rig.events).toEqual([`1.000: container_start_failed container/web ${address}`]);
    // 0.0.0.0 conflicts with every address for the kernel too.
    rig.run({ name: "local", publish: published("127.0.0.1:80:80"), startNs: seconds(2) });
    rig.sim.run(seconds(3));
    const local = "listen tcp 127.0.0.1:80: bind: address already in use";
    expect(rig.events.at(-1)).toBe(`2.000: container_start_failed container/local ${local}`);
    rig.run({ name: "api", publish: published("81:80") });
    rig.run({ name: "late", network: "host", exposedPorts: [81], startNs: seconds(4) });
    rig.sim.run(seconds(6));
    expect(rig.events.slice(-3)).toEqual([
      "4.300: container_started container/late host network",
      "4.400: listen_failed process/docker-1/late/0 " +
        "listen tcp 0.0.0.0:81: bind: address already in use",
      "4.400: container_exited container/late exit code 1",
    ]);
  });

  it.each([
    ["0.0.0.0:80:80", "127.0.0.1:80:80", "0.0.0.0"],
    ["127.0.0.1:80:80", "0.0.0.0:80:80", "127.0.0.1"],
    ["127.0.0.1:80:80", "192.168.0.2:80:80", null],
  ])("%s and %s: conflict with %s", (first, second, holder) => {
    const rig = dockerRig();
    rig.run({ name: "first", publish: published(first) });
    rig.run({ name: "second", publish: published(second), startNs: seconds(1) });
    rig.sim.run(seconds(2));
    const failed = rig.events.filter((event) => event.includes("container_start_failed"));
    const expected = `1.000: container_start_failed container/second Bind for ${holder}:80 failed: port is already allocated`;
    expect(failed).toEqual(holder === null ? [] : [expected]);
  });

  it("is one of its host's only", () => {
    const rig = dockerRig();
    rig.run({ name: "here", publish: published("80:80") });
    const there = rig.run({
      name: "there",
      host: "docker-2",
      publish: published("80:80"),
      startNs: 1,
    });
    rig.sim.run(seconds(1));
    expect(there.state).toBe("running");
  });

  it("of several is given back when the last of them is taken", () => {
    const rig = dockerRig();
    rig.run({ name: "first", publish: published("82:80") });
    const second = rig.run({ name: "second", publish: published("81:80", "82:80"), startNs: 1 });
    rig.sim.run(seconds(1));
    expect(second.state).toBe("created");
    const third = rig.run({ name: "third", publish: published("81:80") });
    rig.sim.run(seconds(2));
    expect(third.state).toBe("running");
  });
});

describe("a restart policy", () => {
  /** Time from each exit to the next start, in ms, of a container whose process ends after `runs`. */
  function waitsMs(policy: RestartPolicy, runs: readonly number[], exitCode = 1): number[] {
    const rig = dockerRig();
    const container = rig.run({ name: "web", restart: policy });
    const waits: number[] = [];
    for (const runMs of runs) {
      rig.sim.run(rig.sim.nowNs + ms(runMs));
      container.crash(exitCode);
      rig.sim.run(rig.sim.nowNs);
      const exitedNs = rig.sim.nowNs;
      while (!container.isRunning && rig.sim.nowNs < exitedNs + seconds(100)) {
        rig.sim.run(rig.sim.nowNs + ms(50));
      }
      if (!container.isRunning) break;
      waits.push((rig.sim.nowNs - exitedNs) / 1e6 - 300);
    }
    return waits;
  }

  it("waits 100 ms, and twice as long each time, up to a minute", () => {
    const runs = Array.from({ length: 12 }, () => 1000);
    expect(waitsMs(always, runs)).toEqual([
      100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000,
    ]);
  });

  it("begins anew after a run of ten seconds", () => {
    expect(waitsMs(always, [1000, 1000, 10_000, 9900])).toEqual([100, 200, 100, 200]);
  });

  it("on-failure leaves a good end alone, and counts", () => {
    const twice: RestartPolicy = { name: "on-failure", maximumRetryCount: 2 };
    expect(waitsMs(twice, [100, 100, 100])).toEqual([100, 200]);
    expect(waitsMs(twice, [100], 0)).toEqual([]);
    expect(waitsMs({ name: "no", maximumRetryCount: null }, [100])).toEqual([]);
  });

  it("restarts nobody who was stopped or killed", () => {
    const rig = dockerRig();
    for (const how of ["stop", "kill"] as const) {
      const container = rig.run({ name: how, restart: always });
      container[how]();
    }
    rig.sim.run(seconds(200));
    expect(rig.events).toEqual([
      "0.000: container_exited container/stop exit code 0",
      "0.000: container_exited container/kill exit code 137",
    ]);
  });

  it("gives up where the start fails, as when its port is taken meanwhile", () => {
    const rig = dockerRig();
    const web = rig.run({ name: "web", publish: published("80:80"), restart: always });
    web.crash(1);
    rig.sim.run(ms(50));
    rig.run({ name: "quick", publish: published("80:80") });
    rig.sim.run(seconds(200));
    expect(web.state).toBe("exited");
    expect(rig.events.filter((event) => event.includes("start_failed"))).toHaveLength(1);
  });
});

describe("docker stop", () => {
  it("gives a process ten seconds from SIGTERM", () => {
    const rig = dockerRig();
    rig.run({ name: "deaf" }, { onSigterm: "ignore" }).stop();
    rig.sim.run(seconds(20));
    expect(rig.events).toEqual(["10.000: container_exited container/deaf exit code 137"]);
  });

  it("ends a start under way, and its ports", () => {
    const rig = dockerRig();
    rig.sim.run(seconds(1));
    const web = rig.run({ name: "web", publish: published("80:80") });
    rig.sim.run(seconds(1.1));
    web.stop();
    const next = rig.run({ name: "next", publish: published("80:80") });
    rig.sim.run(seconds(3));
    expect([web.state, next.state]).toEqual(["created", "running"]);
    expect(rig.text(next.address)).toBe("172.17.0.2");
  });

  it("with a start behind it is a restart: one of each, whoever asks twice", () => {
    const rig = dockerRig();
    const web = rig.run({ name: "web" });
    web.restart();
    web.restart();
    rig.sim.run(seconds(20));
    expect(rig.events).toEqual([
      "0.000: container_exited container/web exit code 0",
      "0.300: container_started container/web 172.17.0.2",
    ]);
  });
});

it("a published port leads nowhere between two runs, and to the new address after", () => {
  const rig = dockerRig();
  const web = rig.run({ name: "web", publish: published("8080:80") });
  // Ten a second from 0.1 s to 3 s.
  const load = { kind: "openLoop", rate: [{ fromNs: 0, startRps: 10, endRps: 10, rampNs: 0 }] };
  rig.client(rig.laptop.namespace, rig.address("192.168.0.2"), 8080, {
    load: { ...load, share: 1, process: "deterministic" } as never,
    stopNs: seconds(3.05),
  });
  rig.sim.run(seconds(1.05));
  web.stop();
  rig.sim.run(seconds(1.06));
  rig.run({ name: "thief", exposedPorts: [99] });
  web.start();
  rig.sim.run(seconds(10));
  expect(rig.text(web.address)).toBe("172.17.0.3");
  // Started at 1.36 s, listening at 1.46 s: 1.1 to 1.4 s are refused.
  const expected = Array.from({ length: 30 }, (_, i) => (i >= 10 && i < 14 ? "refused" : "served"));
  expect(rig.outcomes).toEqual(expected);
});
