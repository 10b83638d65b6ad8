/** The shipped storm: simulated seconds per second of wall time. */
import { join } from "node:path";
import { seconds } from "../../src/engine/index.ts";
import {
  burst,
  closedLoop,
  exponential,
  keepAlive,
  nodePort,
  openLoop,
  outside,
  pods,
  resetPods,
} from "../../src/index.ts";
import type { Benchmark } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const manifest = join(process.cwd(), "scenarios", "nginx.yaml");

/** As scenarios/reset-storm.ts, which is loaded from its file only by the command. */
const storm = (durationS: number) =>
  resolve("reset-storm", {
    duration: `${durationS}s`,
    cluster: { nodes: 4, manifests: [manifest] },
    servers: {
      "deploy/nginx": {
        concurrency: 8,
        queueLimit: 64,
        serviceTime: exponential("10ms"),
        responseSize: "8Ki",
        startupTime: "1s",
      },
    },
    clients: [
      {
        name: "web",
        from: pods(4),
        to: "svc/nginx:8080",
        load: openLoop(burst({ base: 400, peak: 1600, at: "15s", for: "20s" })),
        timeout: "2s",
        retries: { attempts: 3, initialBackoff: "50ms" },
      },
      {
        name: "mobile",
        from: pods(2),
        to: "svc/nginx:8080",
        load: closedLoop({ users: 50, thinkTime: exponential("1s") }),
        connections: keepAlive({ poolSize: 16 }),
        timeout: "2s",
      },
      {
        name: "internet",
        from: outside(2),
        to: nodePort("svc/nginx-public"),
        load: openLoop(200),
        timeout: "2s",
      },
    ],
    faults: [
      resetPods({
        selector: "app=nginx",
        fraction: 1 / 3,
        how: "kill",
        at: "20s",
        every: "5s",
        times: 3,
      }),
    ],
  });

export const resetStorm: Benchmark = {
  name: "model: reset-storm",
  unit: "simulated s",
  size: 60,
  tinySize: 2,
  run(size) {
    const { hash } = runFor(storm(size), seconds(size));
    return { work: size, hash };
  },
};
