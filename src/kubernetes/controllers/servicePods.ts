/**
 * Services and the pods that they select, as a controller of endpoints sees them.
 *
 * Owns: both indexes, by the controller's own watches, and which change of a pod asks for which Service.
 * Refuses to own: when it is synced. Source: k8s.io/endpointslice util/controller_utils.go.
 */
import type { Informer } from "../api/contract.ts";
import { PodLabelIndex, SelectorIndex } from "../api/selectorIndex.ts";
import { objectKey, type Pod, type Service } from "../api/types.ts";
import type { SharedInformers } from "./contract.ts";
import { isEndpoint } from "./endpointReconcile.ts";

export interface ServicePodsHandlers {
  /** The Service "namespace/name" is new, has changed, or has gone. */
  readonly service: (key: string) => void;
  /** Something has changed of a pod that it selects. */
  readonly pods: (key: string) => void;
}

export class ServicePods {
  readonly services: Informer<"Service">;
  readonly #handlers: ServicePodsHandlers;
  readonly #selectors = new SelectorIndex();
  readonly #pods = new PodLabelIndex();

  constructor(informers: SharedInformers, handlers: ServicePodsHandlers) {
    this.#handlers = handlers;
    this.services = informers.on("Service", {
      added: (service) => this.#putService(service),
      updated: (previous, service) => {
        this.#selectors.remove(previous);
        this.#putService(service);
      },
      deleted: (service) => {
        this.#selectors.remove(service);
        handlers.service(objectKey(service));
      },
    });
    const pods = informers.on("Pod", {
      added: (pod) => this.#podChanged(null, pod),
      updated: (previous, pod) => this.#podChanged(previous, pod),
      deleted: (pod) => {
        this.#pods.delete(pod);
        this.#ask(pod);
      },
    });
    for (const pod of pods.values()) this.#pods.set(pod);
    for (const service of this.services.values()) this.#selectors.add(service);
  }

  podsOf({ metadata, spec }: Service): Pod[] {
    return spec.selector === null ? [] : this.#pods.podsOf(metadata.namespace, spec.selector);
  }

  #putService(service: Service): void {
    this.#selectors.add(service);
    this.#handlers.service(objectKey(service));
  }

  #podChanged(previous: Pod | null, pod: Pod): void {
    this.#pods.set(pod);
    if (previous === null || endpointChanged(previous, pod)) this.#ask(pod);
  }

  #ask(pod: Pod): void {
    for (const service of this.#selectors.servicesOf(pod)) this.#handlers.pods(objectKey(service));
  }
}

/** Whether an update of a pod can change its endpoint (podEndpointsChanged). */
function endpointChanged(previous: Pod, pod: Pod): boolean {
  return (
    isEndpoint(previous) !== isEndpoint(pod) ||
    previous.status.podIPs.join() !== pod.status.podIPs.join() ||
    previous.status.ready.status !== pod.status.ready.status ||
    previous.metadata.deletionTimestampNs !== pod.metadata.deletionTimestampNs
  );
}
