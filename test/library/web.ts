/** The objects of test/scenario/files.ts' manifest, as data. */
import { parseAllDocuments } from "yaml";
import { webManifest } from "../scenario/files.ts";

export function objectsOfWeb(options: Parameters<typeof webManifest>[0] = {}): object[] {
  return parseAllDocuments(webManifest(options)).map((each) => each.toJS() as object);
}
