/** What breaks law 12 workloads? Found by soak, seed 5001. */
import { defineScenario } from "podstorm";

export default defineScenario({
  duration: "9517ms",
  coldStart: true,
  window: "500ms",
  cluster: {
    nodes: 4,
    zones: 1,
    manifests: ["./cluster.yaml"],
  },
  servers: {},
  clients: [
    {
      name: "client-0",
      from: {
        kind: "pod",
        replicas: 1,
      },
      to: "svc/app-0:9090",
      load: {
        kind: "openLoop",
        rate: {
          kind: "constant",
          rps: 17,
        },
      },
      connections: {
        poolSize: 2,
        kind: "keepAlive",
      },
      timeout: "23ms",
      retries: {
        attempts: 2,
        initialBackoff: "20ms",
      },
      stop: "108ms",
    },
  ],
  faults: [
    {
      kind: "resetPods",
      selector: {
        app: "app-0",
      },
      namespace: "default",
      fraction: 0.75,
      how: "kill",
      at: "880.74909ms",
    },
    {
      kind: "flushConntrack",
      hosts: "node-3",
      at: "1.77469888s",
    },
    {
      kind: "rolloutRestart",
      workload: "deploy/app-2",
      at: "2.749178535s",
    },
    {
      kind: "rolloutRestart",
      workload: "deploy/app-0",
      at: "2.888303012s",
    },
    {
      kind: "resetPods",
      selector: {
        app: "app-1",
      },
      namespace: "default",
      count: 1,
      how: "sigkill",
      at: "4.015555242s",
    },
    {
      kind: "flushConntrack",
      hosts: "node-1",
      at: "4.172609508s",
    },
    {
      kind: "resetPods",
      selector: {
        app: "app-0",
      },
      namespace: "default",
      fraction: 0.5,
      how: "delete",
      at: "5.272055327s",
    },
    {
      kind: "setImage",
      workload: "deploy/app-0",
      image: "image:1",
      at: "7.756117272s",
    },
  ],
  profile: {
    kubernetes: {
      kubeProxy: {
        iptables: {
          minSyncPeriod: "0ms",
        },
      },
      apiServer: {
        watchLatency: "0ms",
      },
      controllerManager: {
        endpointSlice: {
          maxEndpointsPerSlice: 2,
        },
      },
    },
    network: {
      neighbour: {
        queueLimitPackets: 1,
      },
    },
  },
});
