/**
 * The many Services of a large cluster that a scenario is not about, as manifests would give them.
 *
 * Owns: their names, addresses and number. They are Services like any others: allocated, watched, programmed on
 * every node. Without pods their slices are a user's own, and nothing answers at the addresses.
 */
import { Address4 } from "ip-address";
import { parsePrefix } from "../../network/address.ts";
import type { ObjectMeta } from "../../kubernetes/api/types.ts";
import type { Mistake } from "../mistakes.ts";
import type { ManifestObjects, Placed } from "./objects.ts";
import { noObjects, readManifestContent } from "./read.ts";

export interface Filler {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
  /** A Deployment stands behind each. */
  readonly pods: boolean;
}

/** Shared address space (RFC 6598): no node, pod or client of a scenario has its addresses. */
const ADDRESSES = "100.64.0.0/10";
export const MOST_FILLER_ENDPOINTS = 2 ** 22 - 2;

const LABEL = "podstorm.dev/filler";
const PLACE = "cluster.filler";

const PATTERN = `apiVersion: v1
kind: Service
metadata: { name: filler }
spec: { ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: filler, labels: { kubernetes.io/service-name: filler } }
addressType: IPv4
ports: [{ port: 80 }]
endpoints: [{ addresses: [100.64.0.1] }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: filler }
spec:
  selector: { matchLabels: { ${LABEL}: filler } }
  template:
    metadata: { labels: { ${LABEL}: filler } }
    spec: { containers: [{ name: filler, image: filler, ports: [{ containerPort: 80 }] }] }
`;

/** Adds them; the Services of the manifests stand evenly among them, as in a list that knows no order. */
export function addFiller(filler: Filler, objects: ManifestObjects, found: Mistake[]): void {
  const pattern = noObjects();
  readManifestContent(new TextEncoder().encode(PATTERN), PLACE, pattern, found);
  const names = Array.from({ length: filler.services }, (_, i) => `filler-${i + 1}`);
  if (filler.pods) addDeployments(names, filler.endpoints, pattern, objects);
  else addSlices(names, filler.endpoints, pattern, objects);
  const [service] = pattern.services;
  const own = names.map((name) =>
    copy(service!, name, ({ spec }) => ({
      spec: { ...spec, selector: filler.pods ? { [LABEL]: name } : null },
    })),
  );
  const written = objects.services.splice(0);
  objects.services.push(...spread(written, own));
}

function addDeployments(
  names: readonly string[],
  replicas: number,
  { deployments }: ManifestObjects,
  objects: ManifestObjects,
): void {
  const [deployment] = deployments;
  for (const name of names) {
    const labels = { [LABEL]: name };
    const made = copy(deployment!, name, ({ spec }) => ({
      spec: {
        ...spec,
        replicas,
        selector: { ...spec.selector, matchLabels: labels },
        template: { ...spec.template, labels },
      },
    }));
    objects.deployments.push(made);
  }
}

function addSlices(
  names: readonly string[],
  endpoints: number,
  { endpointSlices }: ManifestObjects,
  objects: ManifestObjects,
): void {
  const [slice] = endpointSlices;
  let next = parsePrefix(ADDRESSES).first;
  for (const name of names) {
    const made = copy(slice!, name, ({ metadata, endpoints: [endpoint] }) => ({
      service: `${metadata.namespace}/${name}`,
      endpoints: Array.from({ length: endpoints }, () => ({
        ...endpoint!,
        address: Address4.fromBigInt(++next).correctForm(),
      })),
    }));
    objects.endpointSlices.push(made);
  }
}

/** Another object of the same kind. */
function copy<T extends { readonly metadata: ObjectMeta }>(
  { object, mistakes }: Placed<T>,
  name: string,
  changes: (object: T) => Partial<T>,
): Placed<T> {
  const uid = object.metadata.uid.replace(/[^/]*$/, name);
  const metadata = { ...object.metadata, name, uid };
  return { object: { ...object, ...changes(object), metadata }, mistakes };
}

/** The first list at even distances within the second. */
function* spread<T>(few: readonly T[], many: readonly T[]): Generator<T> {
  let taken = 0;
  for (const [index, each] of few.entries()) {
    const until = Math.floor(((index + 0.5) * many.length) / few.length);
    while (taken < until) yield many[taken++]!;
    yield each;
  }
  while (taken < many.length) yield many[taken++]!;
}
