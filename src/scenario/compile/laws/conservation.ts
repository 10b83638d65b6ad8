/**
 * Law 1, conservation, and the part of law 8 that requests show: time never goes back.
 *
 * Owns: counts kept apart from the mechanisms, and their comparison with what the mechanisms say.
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { Observer } from "../../../observe/observations.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

const CONSERVATION = "1 conservation";

/** Every packet is delivered, dropped or on its way, and every drop has a place and a cause. */
export function* packetConservation({ network, nowNs }: LawContext): Generator<BrokenLaw> {
  const { sent, delivered, dropped, droppedSegments, inFlight } = network.packets;
  const found = { law: CONSERVATION, entity: "network/packets", atNs: nowNs };
  if (sent !== delivered + dropped + inFlight) {
    const detail = `${sent} sent, ${delivered} delivered + ${dropped} dropped + ${inFlight} in flight`;
    yield { ...found, detail };
  }
  let named = 0;
  for (const hop of network.hops) named += hop.droppedPackets;
  for (const causes of network.drops.values()) for (const count of causes.values()) named += count;
  if (named !== droppedSegments) {
    yield { ...found, detail: `${droppedSegments} dropped, ${named} of them at a named place` };
  }
}

/**
 * Requests that began and have not ended, as a count and as a sum of their starts: a request that ends
 * twice, or that its client has forgotten, leaves one of the two different from the clients' own.
 */
export class RequestLedger implements Observer {
  #count = 0;
  /** Modulo 2^32. */
  #starts = 0;
  #lastNs: SimTimeNs = 0;
  #backwards = 0;

  requestStarted(_client: number, _service: number, atNs: SimTimeNs): void {
    this.#count++;
    this.#starts = (this.#starts + (atNs | 0)) | 0;
    if (atNs < this.#lastNs) this.#backwards++;
    this.#lastNs = atNs;
  }

  requestEnded(
    _client: number,
    _service: number,
    _outcome: number,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    this.#count--;
    this.#starts = (this.#starts - (startedAtNs | 0)) | 0;
    if (endedAtNs < this.#lastNs || endedAtNs < startedAtNs) this.#backwards++;
    this.#lastNs = endedAtNs;
  }

  *broken({ programs, nowNs }: LawContext): Generator<BrokenLaw> {
    const found = { entity: "workload/requests", atNs: nowNs };
    let count = 0;
    let starts = 0;
    for (const program of programs.all) {
      for (const startedAtNs of program.requestsInFlight?.() ?? []) {
        count++;
        starts = (starts + (startedAtNs | 0)) | 0;
      }
    }
    if (count !== this.#count || starts !== this.#starts) {
      const others = count === this.#count ? ", but not the same ones" : "";
      const detail = `${this.#count} began and did not end, the clients hold ${count}${others}`;
      yield { ...found, law: CONSERVATION, detail };
    }
    if (this.#backwards > 0 || this.#lastNs > nowNs) {
      const detail = `${this.#backwards} observations before the one in front of them`;
      yield { ...found, law: "8 causality", detail };
    }
  }
}
