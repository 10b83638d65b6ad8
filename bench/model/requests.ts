/** Requests through a ClusterIP to a pod on another node, through every hop, with every recorder. */
import { seconds } from "../../src/engine/index.ts";
import {
  constant,
  exponential,
  keepAlive,
  openLoop,
  perRequest,
  type ConnectionsInput,
} from "../../src/index.ts";
import type { Benchmark } from "../harness.ts";
import { prepared, resolve } from "./scenario.ts";

/** One client and one server; the scheduler puts them on two nodes. */
const pair = (name: string, connections: ConnectionsInput, durationS: number) =>
  resolve(name, {
    duration: `${durationS}s`,
    cluster: { nodes: 2, manifests: ["./pair.yaml"] },
    servers: {
      "deploy/server": { concurrency: 16, queueLimit: 128, serviceTime: exponential("100us") },
    },
    clients: [
      {
        name: "client",
        to: "svc/server:8080",
        load: openLoop(constant(20_000)),
        connections,
        requestSize: "200",
        timeout: "2s",
      },
    ],
  });

/** Simulated seconds, at 20,000 requests/s. */
const SIZE = 20;
const TINY_SIZE = 0.05;

/** Reading the scenario and building the cluster are not what is measured. */
const measured = (name: string, connections: ConnectionsInput, durationS: number) => {
  const run = prepared(pair(name, connections, durationS), seconds(durationS));
  return () => {
    const { requests, hash } = run();
    return { work: requests, hash };
  };
};
const keptAlive = (durationS: number) => measured("keep-alive", keepAlive(), durationS);
const connectionEach = (durationS: number) => measured("new", perRequest(), durationS);

export const requestsKeepAlive: Benchmark = {
  name: "model: cross-node requests, keep-alive",
  unit: "requests",
  size: SIZE,
  tinySize: TINY_SIZE,
  run: (size) => keptAlive(size)(),
  prepare: (size) => keptAlive(size),
};

export const requestsNewConnection: Benchmark = {
  name: "model: cross-node requests, a connection each",
  unit: "requests",
  size: SIZE / 2,
  tinySize: TINY_SIZE,
  run: (size) => connectionEach(size)(),
  prepare: (size) => connectionEach(size),
};
