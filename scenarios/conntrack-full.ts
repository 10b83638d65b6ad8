/**
 * When does a node's connection table fill up, who suffers, and what helps? Clients on one node open 1,500 connections a
 * second, and each stays in the table for the two minutes of TIME_WAIT.
 */
import { defineScenario, deterministic, keepAlive, openLoop, perRequest, pods } from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "130s",
  window: "5s",
  cluster: {
    nodes: 2,
    nodeShape: { cpu: Number(env.CORES ?? 4) },
    manifests: ["./conntrack-full.yaml"],
  },
  servers: {
    "deploy/web": { concurrency: 64, serviceTime: deterministic("200us"), responseSize: "1Ki" },
  },
  clients: [
    {
      name: "short-lived",
      from: pods(4, { node: "node-1" }),
      to: "svc/web:80",
      load: openLoop(Number(env.RATE ?? 1500)),
      connections: env.KEEP_ALIVE === "1" ? keepAlive() : perRequest(),
      timeout: "500ms",
    },
    {
      name: "kept",
      from: pods(1, { node: "node-1" }),
      to: "svc/web:80",
      load: openLoop(20),
      connections: keepAlive(),
      timeout: "500ms",
    },
    {
      name: "bystander",
      from: pods(1, { node: "node-1" }),
      to: "svc/web:80",
      load: openLoop(20),
      timeout: "500ms",
    },
    {
      name: "other-node",
      from: pods(1, { node: "node-2" }),
      to: "svc/web:80",
      load: openLoop(20),
      timeout: "500ms",
    },
  ],
}));
