/**
 * Which Services select a pod, and which pods a Service selects, without looking at all of them.
 *
 * Owns: two indexes by namespace and label. A Service stands under the first pair of its selector; a
 * pod under every label that it has. What is found is checked against the whole selector.
 */
import { matchesLabels, objectKey, type Labels, type Pod, type Service } from "./types.ts";

export class SelectorIndex {
  readonly #byPair = new Map<string, Map<string, Service>>();

  add(service: Service): void {
    const key = serviceKey(service);
    if (key === null) return;
    let services = this.#byPair.get(key);
    if (services === undefined) this.#byPair.set(key, (services = new Map()));
    services.set(objectKey(service), service);
  }

  remove(service: Service): void {
    const key = serviceKey(service);
    if (key !== null) this.#byPair.get(key)?.delete(objectKey(service));
  }

  /** Services whose selector the pod's labels satisfy, in the order of the pod's labels. */
  servicesOf(pod: Pod): Service[] {
    const { namespace, labels } = pod.metadata;
    const found: Service[] = [];
    for (const [name, value] of Object.entries(labels)) {
      for (const service of this.#byPair.get(pairKey(namespace, name, value))?.values() ?? []) {
        if (matchesLabels(service.spec.selector!, labels)) found.push(service);
      }
    }
    return found;
  }
}

export class PodLabelIndex {
  readonly #byPair = new Map<string, Map<string, Pod>>();

  /** Adds the pod, or puts a newer version in its place. Labels of a pod do not change. */
  set(pod: Pod): void {
    const { namespace, labels } = pod.metadata;
    for (const [name, value] of Object.entries(labels)) {
      const key = pairKey(namespace, name, value);
      let pods = this.#byPair.get(key);
      if (pods === undefined) this.#byPair.set(key, (pods = new Map()));
      pods.set(objectKey(pod), pod);
    }
  }

  delete(pod: Pod): void {
    const { namespace, labels } = pod.metadata;
    for (const [name, value] of Object.entries(labels)) {
      this.#byPair.get(pairKey(namespace, name, value))?.delete(objectKey(pod));
    }
  }

  /** Pods of the namespace whose labels satisfy the selector; none for an empty selector. */
  podsOf(namespace: string, selector: Labels): Pod[] {
    let smallest: ReadonlyMap<string, Pod> | null = null;
    for (const [name, value] of Object.entries(selector)) {
      const pods = this.#byPair.get(pairKey(namespace, name, value));
      if (pods === undefined) return [];
      if (smallest === null || pods.size < smallest.size) smallest = pods;
    }
    if (smallest === null) return [];
    // All stand there by the one pair that is asked for.
    if (Object.keys(selector).length === 1) return [...smallest.values()];
    return [...smallest.values()].filter((pod) => matchesLabels(selector, pod.metadata.labels));
  }
}

function serviceKey(service: Service): string | null {
  const first = Object.entries(service.spec.selector ?? {})[0];
  return first === undefined ? null : pairKey(service.metadata.namespace, first[0], first[1]);
}

function pairKey(namespace: string, name: string, value: string): string {
  return `${namespace}|${name}=${value}`;
}
