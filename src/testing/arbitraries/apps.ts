/**
 * Arbitrary applications: a workload of a few pods with a Service in front, and what its pods do.
 *
 * Owns: the shapes of pods and Services that the model tells apart. `app-N` is the name of the Nth workload
 * and of its Service, and its pods carry the label `app: app-N`. Refuses to own: workloads that are more than a plain
 * Deployment (owners.ts).
 */
import fc from "fast-check";
import { exponential, type ServerInput } from "../../index.ts";
import { companionsOf, owners, type Owner } from "./owners.ts";

export interface App {
  readonly replicas: number;
  readonly service: {
    readonly type: "ClusterIP" | "NodePort";
    readonly nodePort?: number | undefined;
  };
  /** By number, or by the name of the container's port. */
  readonly targetPort: number | "http";
  readonly probe?: object | undefined;
  readonly graceSeconds: number;
  readonly preStopSeconds?: number | undefined;
  /** A second container on a port of its own, behind the Service's second port. */
  readonly sidecar: boolean;
  readonly server?: ServerInput | undefined;
  /** Default: a Deployment as it comes. */
  readonly owner?: Owner | undefined;
}

/** The port of every Service; a Service with a sidecar behind it has SIDECAR_PORT too. */
export const SERVICE_PORT = 8080;
export const SIDECAR_PORT = 9090;

/** Objects of one to three Deployments, each with a Service of its name on port 8080 in front. */
export function services(): fc.Arbitrary<object[]> {
  return apps().map((drawn) => drawn.flatMap(manifestOf));
}

/**
 * One to three applications; {@link manifestOf} gives the objects of one.
 *
 * @param options `owners`: run by workloads of every kind; default: by Deployments
 */
export function apps(options: { owners?: boolean } = {}): fc.Arbitrary<App[]> {
  return fc.array(app(options.owners === true), { minLength: 1, maxLength: 3 });
}

function app(withOwner: boolean): fc.Arbitrary<App> {
  return fc.record({
    replicas: fc.integer({ min: 1, max: 5 }),
    service: fc.oneof(
      fc.constant({ type: "ClusterIP" as const }),
      fc.record({ type: fc.constant("NodePort" as const) }),
    ),
    targetPort: fc.constantFrom(80, "http" as const),
    probe: fc.option(readinessProbe(), { nil: undefined }),
    graceSeconds: fc.integer({ min: 0, max: 3 }),
    preStopSeconds: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined, freq: 2 }),
    sidecar: fc.boolean(),
    server: fc.option(server(), { nil: undefined }),
    ...(withOwner ? { owner: fc.option(owners(), { nil: undefined, freq: 4 }) } : {}),
  });
}

function readinessProbe(): fc.Arbitrary<object> {
  return fc
    .record({
      handler: fc.constantFrom(
        { httpGet: { path: "/", port: "http" } },
        { tcpSocket: { port: 80 } },
      ),
      failureThreshold: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ handler, failureThreshold }) => ({ ...handler, periodSeconds: 1, failureThreshold }));
}

function server(): fc.Arbitrary<ServerInput> {
  return fc.record({
    concurrency: fc.integer({ min: 1, max: 8 }),
    queueLimit: fc.integer({ min: 0, max: 16 }),
    serviceTime: fc.integer({ min: 1, max: 40 }).map((n) => exponential(`${n}ms`)),
    responseSize: fc.constantFrom("1Ki" as const, "8Ki" as const, "200Ki" as const),
    startupTime: fc.integer({ min: 1, max: 500 }).map((n) => `${n}ms` as const),
    onSigterm: fc.constantFrom("drain" as const, "exit" as const, "ignore" as const),
  });
}

const PLAIN: Owner = { kind: "Deployment", spec: {} };
const SHORT_NAMES = { Deployment: "deploy", StatefulSet: "sts", DaemonSet: "ds" } as const;

/** What a scenario calls an application's workload, as "deploy/app-0". */
export function workloadOf({ owner = PLAIN }: App, index: number): string {
  return `${SHORT_NAMES[owner.kind]}/app-${index}`;
}

/** The objects of an application, as Kubernetes has them. */
export function manifestOf(app: App, index: number): object[] {
  const { owner = PLAIN, replicas } = app;
  const name = `app-${index}`;
  const labels = { app: name };
  const ports = [{ name: "http", port: SERVICE_PORT, targetPort: app.targetPort }];
  const side = { name: "side", port: SIDECAR_PORT, targetPort: SIDECAR_PORT };
  return [
    {
      apiVersion: "apps/v1",
      kind: owner.kind,
      metadata: { name },
      spec: {
        ...(owner.kind === "DaemonSet" ? {} : { replicas }),
        ...owner.spec,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpecOf(app) },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ...app.service, selector: labels, ports: app.sidecar ? [...ports, side] : ports },
    },
    ...companionsOf(owner, name, replicas),
  ];
}

function podSpecOf({ probe, graceSeconds, preStopSeconds: seconds, sidecar, owner }: App): object {
  // An autoscaler measures by the request.
  const resources = { requests: { cpu: "100m" } };
  const main = {
    name: "main",
    image: "nginx:1.29",
    ...(owner?.utilization === undefined ? {} : { resources }),
    ports: [{ name: "http", containerPort: 80 }],
    ...(probe ? { readinessProbe: probe } : {}),
    ...(seconds ? { lifecycle: { preStop: { sleep: { seconds } } } } : {}),
  };
  const side = {
    name: "side",
    image: "envoy:1.36",
    ports: [{ containerPort: SIDECAR_PORT }],
    ...(owner?.utilization === undefined ? {} : { resources }),
  };
  return {
    terminationGracePeriodSeconds: graceSeconds,
    containers: sidecar ? [main, side] : [main],
  };
}
