/**
 * Before pods: who reaches a Docker container, and what happens when ports collide and addresses change? Two
 * hosts, each with its own docker0; only published host ports cross from one to the other.
 */
import {
  container,
  containers,
  defineScenario,
  deterministic,
  hostPort,
  localhost,
  onHost,
  openLoop,
  outside,
  resetContainer,
} from "podstorm";

const server = { serviceTime: deterministic("1ms"), startupTime: deterministic("100ms") };
const load = openLoop(10, { arrivals: "deterministic" });
/** Until something changes, at 10 s. */
const calm = { load, stop: "9s" } as const;
const web = container("web:80");

export default defineScenario({
  duration: "40s",
  docker: {
    hosts: 2,
    containers: [
      { name: "web", host: "docker-1", publish: ["8080:80"], server },
      { name: "api", host: "docker-2", publish: ["8080:80"], server },
      { name: "proxy", host: "docker-2", network: "host", expose: [9090], server },
      // Take the address that web has left, one after the other. Only the first listens where web did.
      { name: "batch", host: "docker-1", expose: [80], start: "15s", server },
      { name: "cron", host: "docker-1", expose: [7000], start: "31s", server },
      // Want ports that are held: by a container of the same daemon, by a process of the host.
      { name: "web-canary", host: "docker-1", publish: ["8080:80"], start: "25s", server },
      { name: "metrics", host: "docker-2", publish: ["9090:80"], start: "25s", server },
    ],
  },
  clients: [
    { name: "same-host", from: onHost("docker-1"), to: web, ...calm },
    { name: "same-bridge", from: containers(1, { host: "docker-1" }), to: web, ...calm },
    { name: "same-host-port", from: onHost("docker-1"), to: localhost(8080), ...calm },
    { name: "other-host", from: onHost("docker-2"), to: web, ...calm },
    { name: "other-host-port", from: onHost("docker-2"), to: hostPort("docker-1:8080"), ...calm },
    { name: "laptop", from: outside(1), to: web, ...calm },
    { name: "laptop-port", from: outside(1), to: hostPort("docker-1:8080"), load },
    { name: "remembers", from: onHost("docker-1"), to: web, load },
  ],
  faults: [
    // web comes back with another address: batch has its old one by then.
    resetContainer({ container: "web", how: "stop", at: "10s" }),
    resetContainer({ container: "web", how: "start", at: "20s" }),
    resetContainer({ container: "batch", how: "stop", at: "30s" }),
  ],
});
