/**
 * Chooses the requests that a trace shows, while the run goes by for the first time.
 *
 * Owns: a sample of those that match, of bounded size and each as likely as any other (Vitter's algorithm R), drawn from a
 * stream of its own, so that nothing else in the run is drawn otherwise. Refuses to own: following them (follower.ts).
 */
import type { RandomStream, SimTimeNs } from "../../engine/index.ts";
import { Directory } from "../../observe/directory.ts";
import type { Observer, OutcomeCode } from "../../observe/index.ts";
import type { EndedRequest, RequestFilter } from "./filter.ts";

export class RequestSampler implements Observer {
  /** Requests that ended, and those of them that matched. */
  ended = 0;
  matched = 0;
  readonly #directory = new Directory();
  readonly #filter: RequestFilter;
  readonly #limit: number;
  readonly #chosen: EndedRequest[] = [];
  #stream: RandomStream | null = null;
  /** Whose try ended last: its end is told next, without its number. */
  #last = -1;

  constructor(filter: RequestFilter, limit: number) {
    this.#filter = filter;
    this.#limit = limit;
  }

  get observers(): readonly Observer[] {
    return [this.#directory, this];
  }

  drawFrom(stream: RandomStream): void {
    this.#stream = stream;
  }

  /** In order of arrival. */
  get chosen(): readonly EndedRequest[] {
    return this.#chosen.toSorted((a, b) => a.number - b.number);
  }

  attemptEnded(request: number): void {
    this.#last = request;
  }

  requestEnded(
    client: number,
    service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    attempts: number,
    staleRouted: number,
  ): void {
    this.ended++;
    const request = {
      number: this.#last,
      client: this.#directory.client(client),
      service: this.#directory.service(service),
      outcome,
      startedAtNs,
      endedAtNs,
      attempts,
      isStale: staleRouted === 1,
    };
    if (!this.#filter(request)) return;
    this.matched++;
    if (this.#chosen.length < this.#limit) {
      this.#chosen.push(request);
      return;
    }
    const place = this.#stream!.below(this.matched);
    if (place < this.#limit) this.#chosen[place] = request;
  }
}
