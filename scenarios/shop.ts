/** A rolling update of the inventory, three calls behind a shop's front door: how many customers see it? */
import {
  defineScenario,
  loadBalancer,
  lognormal,
  openLoop,
  outside,
  perRequest,
  rolloutRestart,
} from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "40s",
  cluster: { nodes: 6, zones: 3, manifests: ["./shop.yaml"] },
  servers: {
    // A page: who is it, then everything that it shows, at the same time; one in ten orders something.
    "deploy/front": {
      concurrency: 64,
      serviceTime: lognormal({ p50: "2ms", p99: "8ms" }),
      calls: [
        "svc/users:7200",
        [
          { to: "svc/search:7100", probability: 0.6 },
          "svc/cart:7300",
          { to: "svc/recommend:7400", optional: true, timeout: "300ms" },
          { to: "svc/ads:7500", optional: true, timeout: "200ms" },
        ],
        { to: "svc/checkout:7600", probability: 0.1 },
      ],
    },
    "deploy/users": { serviceTime: "1ms", calls: ["svc/sessions:6379"] },
    "deploy/search": {
      serviceTime: lognormal({ p50: "3ms", p99: "20ms" }),
      calls: ["svc/catalog:7000"],
    },
    "deploy/recommend": {
      serviceTime: lognormal({ p50: "4ms", p99: "40ms" }),
      calls: ["svc/catalog:7000"],
    },
    "deploy/cart": { serviceTime: "1ms", calls: ["svc/sessions:6379"] },
    "deploy/catalog": {
      concurrency: 32,
      serviceTime: lognormal({ p50: "2ms", p99: "10ms" }),
      // Whoever looks at an article is told whether it is there.
      calls: [
        {
          to: "svc/inventory:7900",
          probability: 0.5,
          timeout: env.TIMEOUT ?? "1s",
          connections: perRequest(),
          retries: { attempts: Number(env.TRIES ?? 1), initialBackoff: "50ms" },
        },
      ],
    },
    "deploy/checkout": {
      serviceTime: "5ms",
      calls: [
        ["svc/cart:7300", "svc/shipping:7800"],
        { to: "svc/payment:7700", timeout: "3s" },
        "svc/orders:5432",
      ],
    },
    "deploy/payment": { serviceTime: lognormal({ p50: "30ms", p99: "200ms" }), concurrency: 32 },
    "deploy/shipping": { serviceTime: "3ms", calls: ["svc/inventory:7900"] },
    "deploy/inventory": { serviceTime: "2ms", concurrency: 16, onSigterm: "exit" },
    "deploy/sessions": { serviceTime: "200us", concurrency: 32 },
    "deploy/orders": { serviceTime: lognormal({ p50: "4ms", p99: "30ms" }), concurrency: 16 },
    "deploy/ads": { serviceTime: lognormal({ p50: "5ms", p99: "60ms" }), concurrency: 16 },
  },
  clients: [
    {
      name: "customers",
      from: outside(4),
      to: loadBalancer("svc/front"),
      load: openLoop(500),
      timeout: "3s",
    },
  ],
  faults: [rolloutRestart({ workload: "deploy/inventory", at: "10s" })],
}));
