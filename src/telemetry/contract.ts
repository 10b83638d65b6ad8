/**
 * What an instrument is: it watches a run and leaves one file in a format that another tool reads.
 *
 * Owns: the contract. An instrument looks and changes nothing: a run with it has the same events, the same results and
 * the same fingerprints as one without.
 */
import type { Observer } from "../observe/index.ts";
import type { Run } from "../scenario/compile.ts";

export interface Instrument {
  /** As the user typed it. */
  readonly path: string;
  /** Told of the run from its first moment, after those who record it. */
  readonly observers: readonly Observer[];
  /** The run is there and has not begun. @throws UserError for what it should watch and is not there */
  attach(run: Run): void;
  /** The file, when the run is over. */
  content(): Iterable<string | Uint8Array>;
}
