/**
 * Images that an entry of `servers` speaks of, against those that the workload's containers ever have.
 *
 * Owns: the remark on one that nothing runs: probably a typo.
 */
import type { FaultSpec } from "../faults/index.ts";
import type { Ignore } from "./faultsOf.ts";
import type { ManifestObjects } from "./manifests/objects.ts";
import type { FileMistakes } from "./mistakes.ts";
import type { PlacedServer } from "./calls.ts";
import { findWorkload } from "./targets.ts";

export function remarkImages(
  servers: readonly PlacedServer[],
  objects: ManifestObjects,
  faults: readonly FaultSpec[],
  ignore: Ignore,
  mistakes: FileMistakes,
): void {
  for (const { server, reference, path } of servers) {
    const named = Object.keys(server.images ?? {});
    if (named.length === 0) continue;
    const object = findWorkload(reference, objects, undefined)!.object;
    const { containers } = object.kind === "Pod" ? object.spec : object.spec.template.spec;
    const set = faults.flatMap((fault) =>
      fault.kind === "setImage" && fault.workload.key === server.workload ? [fault.image] : [],
    );
    const known = new Set([...containers.map(({ image }) => image), ...set]);
    for (const image of named) {
      if (known.has(image)) continue;
      const reason = `neither the manifest nor setImage gives ${reference} this image (${[...known].join(", ")})`;
      ignore(`image ${image}`, mistakes, [...path, "images", image], reason);
    }
  }
}
