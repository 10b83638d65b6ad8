/**
 * The rules of a node's two proxiers, as its one kernel holds them: ip6tables beside iptables.
 *
 * Owns: asking the rules of a packet's own family, and telling the books of the right one. Refuses to own: any
 * decision (modes/). A node of one family needs none of it.
 */
import type { DurationNs } from "../../engine/index.ts";
import type { AddressTable } from "../../network/address.ts";
import type { EntryId } from "../../network/conntrackTable.ts";
import type { CtStateCode } from "../../network/conntrackStates.ts";
import type {
  ConnectionWatcher,
  FirstPacket,
  NatDecision,
  NatHookPoint,
  NatRules,
} from "../../network/nat.ts";
import type { ProgrammedRules } from "./contract.ts";

/** What a host is programmed with. */
export type Kernel = Pick<ProgrammedRules, "nat" | "socketNat" | "watcher">;

/** @param byFamily of one mode */
export function bothFamilies(
  addresses: AddressTable,
  byFamily: Readonly<Record<4 | 6, ProgrammedRules>>,
): Kernel {
  const { nat, socketNat, watcher } = byFamily[4];
  const of6 = byFamily[6];
  const atNic = new FamilyRules(addresses, nat, of6.nat);
  return {
    nat: atNic,
    socketNat:
      socketNat === null || of6.socketNat === null
        ? null
        : new FamilyRules(addresses, socketNat, of6.socketNat),
    watcher:
      watcher === null || of6.watcher === null
        ? null
        : new FamilyWatcher(atNic, watcher, of6.watcher),
  };
}

class FamilyRules implements NatRules {
  readonly dropsInvalid: boolean;
  readonly #addresses: AddressTable;
  readonly #of4: NatRules;
  readonly #of6: NatRules;
  /** Of the packet that was judged last. */
  family: 4 | 6 = 4;

  constructor(addresses: AddressTable, of4: NatRules, of6: NatRules) {
    this.dropsInvalid = of4.dropsInvalid === true;
    this.#addresses = addresses;
    this.#of4 = of4;
    this.#of6 = of6;
  }

  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    this.family = this.#addresses.family(packet.destination);
    (this.family === 4 ? this.#of4 : this.#of6).decide(point, packet, decision);
  }
}

/** Each keeps the connections of its family, and knows nothing of the other's. */
class FamilyWatcher implements ConnectionWatcher {
  readonly establishedNs: DurationNs;
  readonly #judged: { readonly family: 4 | 6 };
  readonly #of4: ConnectionWatcher;
  readonly #of6: ConnectionWatcher;

  constructor(judged: { readonly family: 4 | 6 }, of4: ConnectionWatcher, of6: ConnectionWatcher) {
    this.establishedNs = of4.establishedNs;
    this.#judged = judged;
    this.#of4 = of4;
    this.#of6 = of6;
  }

  lifeNs(entry: EntryId, state: CtStateCode): DurationNs {
    return Math.min(this.#of4.lifeNs(entry, state), this.#of6.lifeNs(entry, state));
  }

  keeps(entry: EntryId): boolean {
    return this.#of4.keeps(entry) || this.#of6.keeps(entry);
  }

  began(entry: EntryId): void {
    (this.#judged.family === 4 ? this.#of4 : this.#of6).began(entry);
  }

  activity(entry: EntryId, isActive: boolean): void {
    this.#of4.activity(entry, isActive);
    this.#of6.activity(entry, isActive);
  }

  reopened(entry: EntryId): void {
    this.#of4.reopened(entry);
    this.#of6.reopened(entry);
  }

  ended(entry: EntryId): void {
    this.#of4.ended(entry);
    this.#of6.ended(entry);
  }
}
