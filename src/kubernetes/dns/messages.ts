/**
 * DNS messages, which packets carry by number.
 *
 * Owns: the numbers of names, questions and answers of one simulation, and how many bytes a message
 * has. Refuses to own: who asks and what is answered.
 */
import { seconds, type SimTimeNs } from "../../engine/index.ts";
import type { AddressId, AddressTable } from "../../network/address.ts";

export const RecordType = { A: 0, AAAA: 1, SRV: 2, PTR: 3 } as const;
export type RecordTypeCode = (typeof RecordType)[keyof typeof RecordType];

export const Rcode = { NOERROR: 0, NXDOMAIN: 1, SERVFAIL: 2, REFUSED: 3 } as const;
export type RcodeCode = (typeof Rcode)[keyof typeof Rcode];

/** One question: four times the name's number, plus the type. */
export type QuestionId = number;

/** An SRV record (RFC 2782). Those of one name have one priority and one weight. */
export interface SrvRecord {
  readonly port: number;
  readonly target: string;
}

export interface DnsAnswer {
  readonly rcode: RcodeCode;
  /** Of A or AAAA records, in the order in which they stand in the message. */
  readonly addresses: readonly AddressId[];
  /** Absent: none. */
  readonly services?: readonly SrvRecord[];
  /** Of PTR records. Absent: none. */
  readonly names?: readonly string[];
  /** Addresses of the SRV records' targets, in the additional section. Absent: none. */
  readonly additional?: readonly AddressId[];
  /** TC: more than fitted. Absent: all is there. */
  readonly truncated?: boolean;
  /** CNAME records before them. */
  readonly aliases: number;
  /** Whole seconds that it may be kept for: the least of its records, or the SOA's of a denial. */
  readonly ttlSeconds: number;
}

/** RFC 1035: header; type and class of a question; fixed part of a record with a compressed name. */
const HEADER_BYTES = 12;
const QUESTION_BYTES = 4;
const RECORD_BYTES = 12;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;
/** RFC 2782: priority, weight and port before the target, which is not compressed. */
const SRV_BYTES = 6;
/** RFC 6891: the OPT record of a message with EDNS. */
const OPT_BYTES = 11;
/** SOA of a denial, with its two names: as CoreDNS writes it. */
const SOA_BYTES = 93;
/** No packet is under way for as long. */
const KEPT_NS = seconds(60);

export class DnsMessages {
  readonly #addresses: AddressTable;
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #answers = new Map<number, DnsAnswer>();
  /** Answers in the order of their numbers: when each may be forgotten. */
  readonly #forgetAtNs: SimTimeNs[] = [];
  #nextAnswer = 0;
  #oldest = 0;

  constructor(addresses: AddressTable) {
    this.#addresses = addresses;
  }

  /** @param name absolute, without the dot at its end */
  question(name: string, type: RecordTypeCode): QuestionId {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#names.push(name) - 1;
      this.#ids.set(name, id);
    }
    return 4 * id + type;
  }

  nameOf(question: QuestionId): string {
    return this.#names[question >> 2]!;
  }

  typeOf(question: QuestionId): RecordTypeCode {
    return (question & 3) as RecordTypeCode;
  }

  /** A number for an answer that is about to be sent. */
  put(answer: DnsAnswer, nowNs: SimTimeNs): number {
    this.#forget(nowNs);
    this.#answers.set(this.#nextAnswer, answer);
    this.#forgetAtNs.push(nowNs + KEPT_NS);
    return this.#nextAnswer++;
  }

  /** @throws Error for an answer that has been forgotten */
  answer(id: number): DnsAnswer {
    const answer = this.#answers.get(id);
    if (answer === undefined) throw new Error(`DNS answer ${id} was under way for too long`);
    return answer;
  }

  queryBytes(question: QuestionId, edns = false): number {
    return (
      HEADER_BYTES + nameBytes(this.nameOf(question)) + QUESTION_BYTES + (edns ? OPT_BYTES : 0)
    );
  }

  answerBytes(question: QuestionId, answer: DnsAnswer, edns = false): number {
    const { addresses, services = [], names = [], additional = [] } = answer;
    let recordBytes = this.#aliasBytes(question, answer);
    for (const address of addresses) recordBytes += this.#addressBytes(address);
    for (const service of services) recordBytes += serviceBytes(service);
    for (const name of names) recordBytes += RECORD_BYTES + nameBytes(name);
    for (const address of additional) recordBytes += this.#addressBytes(address);
    return this.queryBytes(question, edns) + (recordBytes === 0 ? SOA_BYTES : recordBytes);
  }

  /** The answer with as much of it as fits, from the front; of the additional section what is left. */
  fitted(question: QuestionId, answer: DnsAnswer, mostBytes: number, edns: boolean): DnsAnswer {
    if (this.answerBytes(question, answer, edns) <= mostBytes) return answer;
    const { addresses, services = [], names = [], additional = [] } = answer;
    let leftBytes =
      mostBytes - this.queryBytes(question, edns) - this.#aliasBytes(question, answer);
    const kept = <T>(records: readonly T[], bytesOf: (record: T) => number): readonly T[] => {
      const end = records.findIndex((record) => (leftBytes -= bytesOf(record)) < 0);
      return end < 0 ? records : records.slice(0, end);
    };
    return {
      ...answer,
      addresses: kept(addresses, (address) => this.#addressBytes(address)),
      services: kept(services, serviceBytes),
      names: kept(names, (name) => RECORD_BYTES + nameBytes(name)),
      additional: kept(additional, (address) => this.#addressBytes(address)),
      truncated: true,
    };
  }

  #aliasBytes(question: QuestionId, { aliases }: DnsAnswer): number {
    return aliases * (RECORD_BYTES + nameBytes(this.nameOf(question)));
  }

  #addressBytes(address: AddressId): number {
    return RECORD_BYTES + ADDRESS_BYTES[this.#addresses.family(address)];
  }

  #forget(nowNs: SimTimeNs): void {
    const first = this.#nextAnswer - this.#forgetAtNs.length;
    while (this.#oldest < this.#nextAnswer && this.#forgetAtNs[this.#oldest - first]! <= nowNs) {
      this.#answers.delete(this.#oldest++);
    }
    const done = this.#oldest - first;
    if (done > 1024 && 2 * done > this.#forgetAtNs.length) this.#forgetAtNs.splice(0, done);
  }
}

/** Each label has its length before it, and an empty one ends the name. */
function nameBytes(name: string): number {
  return name.length + 2;
}

function serviceBytes({ target }: SrvRecord): number {
  return RECORD_BYTES + SRV_BYTES + nameBytes(target);
}

/** Something that was asked for is there: neither an error nor "no data". */
export function hasRecords({ addresses, services = [], names = [] }: DnsAnswer): boolean {
  return addresses.length + services.length + names.length > 0;
}

/** What a query's packet carries: its question, and whether it has an OPT record (EDNS). */
export function queryInfo(question: QuestionId, edns: boolean): number {
  return 2 * question + (edns ? 1 : 0);
}

/** The name under which an address is looked up: RFC 1035 and 3596. */
export function reverseName(text: string): string {
  if (!text.includes(":")) return `${text.split(".").toReversed().join(".")}.in-addr.arpa`;
  return `${nibblesOf(text).toReversed().join(".")}.ip6.arpa`;
}

/** The 32 hexadecimal digits of an IPv6 address. */
function nibblesOf(text: string): readonly string[] {
  const [head = "", tail] = text.split("::");
  const groups = (part: string | undefined): string[] =>
    part === undefined || part === "" ? [] : part.split(":").map((each) => each.padStart(4, "0"));
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array<string>(8 - first.length - last.length).fill("0000");
  return [...first, ...zeros, ...last].join("").split("");
}
