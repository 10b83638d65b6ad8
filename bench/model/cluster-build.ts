/**
 * A whole large cluster from a scenario, at rest: read, validated, compiled, with every pod placed and running, every
 * kubelet, every slice and every node's rules; and then its first second. Aim: 10,000 Services of 10 pods each on 1,000
 * nodes in under 20 s and 2 GiB.
 */
import { seconds } from "../../src/engine/index.ts";
import type { Benchmark } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const ENDPOINTS = 10;

export const clusterBuild: Benchmark = {
  name: "cluster build: a tenth as many nodes as Services, 10 pods each, at rest, and 1 s",
  unit: "pods",
  size: 100_000,
  tinySize: 200,
  run(size) {
    const services = size / ENDPOINTS;
    const scenario = resolve("cluster-build", {
      duration: "1s",
      cluster: {
        nodes: Math.ceil(services / 10),
        podCIDR: "10.0.0.0/9",
        serviceCIDR: "10.192.0.0/12",
        filler: { services, endpoints: ENDPOINTS, pods: true },
      },
    });
    const { hash } = runFor(scenario, seconds(1));
    return { work: size, hash };
  },
};
