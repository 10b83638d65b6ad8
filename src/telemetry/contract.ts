/**
 * What an instrument is: it watches a run and leaves files in a format that another tool reads.
 *
 * Owns: the contract. An instrument looks and changes nothing: a run with it has the same events, the same results and
 * the same fingerprints as one without.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observer } from "../observe/index.ts";
import type { Run } from "../scenario/compile.ts";

export interface Instrument {
  /** Of its files, as the user typed them. */
  readonly paths: readonly string[];
  /** Told of the run from its first moment, after those who record it. */
  readonly observers: readonly Observer[];
  /** The run is there and has not begun. @throws UserError for what it should watch and is not there */
  attach(run: Run): void;
  /** The run is over. A second one, the same, that is to be run until then before the files are asked for; null: none. */
  again?(): { readonly run: Run; readonly untilNs: SimTimeNs } | null;
  content(path: string): Iterable<string | Uint8Array>;
}
