/**
 * Validating a scenario that is data already, with the manifests it names.
 *
 * Owns: the way from plain data to a ResolvedScenario, or to every mistake in it. Refuses to own: where the data comes
 * from (load.ts), and each step of that way.
 */
import { resolve } from "node:path";
import { coreDnsManifest, dnsAddress } from "./manifests/coredns.ts";
import { addFiller } from "./manifests/filler.ts";
import {
  noObjects,
  readManifestContent,
  readManifestFile,
  readManifestObjects,
} from "./manifests/read.ts";
import type { YamlDocument } from "./manifests/yaml.ts";
import type { FileMistakes, Mistake } from "./mistakes.ts";
import { plainData } from "./plain.ts";
import type { Profile } from "./profile.ts";
import type { ResolvedScenario } from "./resolved.ts";
import { resolveScenario } from "./resolve.ts";
import { isRecord } from "./schema/reading.ts";
import { readScenario } from "./schema/scenario.ts";

export interface ValidationSurroundings {
  readonly name: string;
  readonly description: string;
  readonly file: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Folder that manifests are relative to. */
  readonly folder: string;
  /** The same as the user knows it. */
  readonly shownFolder: string;
  readonly defaultProfile: Profile;
  /** Objects of the cluster beside those of its manifests. */
  readonly objects?: readonly YamlDocument[];
}

/** The scenario, complete, if `found` holds no mistake afterwards. Never throws on bad data. */
export function validateScenario(
  written: unknown,
  { folder, shownFolder, objects: given = [], ...surroundings }: ValidationSurroundings,
  mistakes: FileMistakes,
  found: Mistake[],
): ResolvedScenario | undefined {
  const data = plainData(written, mistakes);
  if (data === undefined) {
    if (found.length === 0) mistakes.add([], "nothing", "a scenario: defineScenario({ ... })");
    return undefined;
  }
  const parts = readScenario(data, mistakes);
  if (parts === undefined) return undefined;
  const objects = noObjects();
  const { manifests, isWhole } = manifestsOf(data);
  // What a manifest that cannot be told from the scenario would hold is not missing.
  if (!isWhole) Object.assign(objects.complete, { workloads: false, services: false });
  for (const [index, manifest] of manifests.entries()) {
    const shown = shownFolder === "" ? manifest : `${shownFolder}/${manifest}`;
    const shownFile = manifest.startsWith("/") ? manifest : shown.replace(/(^|\/)\.\//g, "$1");
    readManifestFile(resolve(folder, manifest), shownFile, objects, found, (problem) =>
      mistakes.add(["cluster", "manifests", index], `${JSON.stringify(manifest)}: ${problem}`),
    );
  }
  readManifestObjects(given, objects);
  const { dns, serviceCIDR = "" } = parts.cluster ?? {};
  if (dns !== undefined) {
    const text = coreDnsManifest(dns.replicas, dnsAddress(serviceCIDR), dns.nodeLocal);
    readManifestContent(new TextEncoder().encode(text), "cluster.dns", objects, found);
  }
  if (parts.cluster?.filler !== undefined) addFiller(parts.cluster.filler, objects, found);
  return resolveScenario(parts, objects, surroundings, mistakes);
}

/** The manifests that can be read, even when other fields of the cluster are wrong, and if they are all. */
function manifestsOf(data: unknown): { manifests: string[]; isWhole: boolean } {
  const cluster = isRecord(data) ? data["cluster"] : undefined;
  const given: unknown = isRecord(cluster) ? cluster["manifests"] : undefined;
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  const manifests = list.filter((item): item is string => typeof item === "string" && item !== "");
  const isWhole = given === undefined || (Array.isArray(given) && manifests.length === list.length);
  return { manifests, isWhole };
}
