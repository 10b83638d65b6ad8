/**
 * Arbitrary clients: inside the cluster and outside, open loop and closed, with connections kept or not.
 *
 * Owns: every way in which a client can call a Service. A client's target is one of the scenario's applications,
 * so it is a draft until these are known; from outside it needs a NodePort Service and takes the ClusterIP from
 * inside where there is none.
 */
import fc from "fast-check";
import {
  burst,
  closedLoop,
  constant,
  exponential,
  keepAlive,
  nodePort,
  openLoop,
  outside,
  perRequest,
  pods,
  type ClientInput,
} from "../../index.ts";
import { SERVICE_PORT, SIDECAR_PORT, type App } from "./apps.ts";

export type ClientDraft = (name: string, apps: readonly App[]) => ClientInput;

export function clients(fewest: number): fc.Arbitrary<ClientDraft[]> {
  return fc.array(client(), { minLength: fewest, maxLength: 3 });
}

function client(): fc.Arbitrary<ClientDraft> {
  return fc
    .record({
      app: fc.nat(2),
      isOutside: fc.boolean(),
      viaNodePort: fc.boolean(),
      toSidecar: fc.boolean(),
      replicas: fc.integer({ min: 1, max: 2 }),
      load: load(),
      connections: fc.oneof(
        fc.constant(perRequest()),
        fc.integer({ min: 1, max: 8 }).map((poolSize) => keepAlive({ poolSize })),
      ),
      timeoutMs: fc.integer({ min: 20, max: 2000 }),
      attempts: fc.integer({ min: 1, max: 3 }),
      stopMs: fc.option(fc.integer({ min: 100, max: 2000 }), { nil: undefined, freq: 2 }),
    })
    .map(({ app, isOutside, viaNodePort, toSidecar, ...rest }): ClientDraft => (name, apps) => {
      const index = app % apps.length;
      const target = apps[index]!;
      const hasNodePort = target.service.type === "NodePort";
      const port = toSidecar && target.sidecar ? SIDECAR_PORT : SERVICE_PORT;
      const service = `svc/app-${index}:${port}`;
      return {
        name,
        from: isOutside && hasNodePort ? outside(rest.replicas) : pods(rest.replicas),
        to: hasNodePort && (isOutside || viaNodePort) ? nodePort(service) : service,
        load: rest.load,
        connections: rest.connections,
        timeout: `${rest.timeoutMs}ms`,
        retries: { attempts: rest.attempts, initialBackoff: "20ms" },
        ...(rest.stopMs === undefined ? {} : { stop: `${rest.stopMs}ms` as const }),
      };
    });
}

function load(): fc.Arbitrary<ClientInput["load"]> {
  return fc.oneof(
    fc.integer({ min: 1, max: 80 }).map((rps) => openLoop(constant(rps))),
    fc
      .record({ base: fc.integer({ min: 1, max: 20 }), peak: fc.integer({ min: 21, max: 300 }) })
      .map((rates) => openLoop(burst({ ...rates, at: "300ms", for: "300ms" }))),
    fc
      .record({ users: fc.integer({ min: 1, max: 8 }), thinkMs: fc.integer({ min: 10, max: 200 }) })
      .map(({ users, thinkMs }) => closedLoop({ users, thinkTime: exponential(`${thinkMs}ms`) })),
  );
}
