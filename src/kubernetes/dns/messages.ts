/**
 * DNS messages, which packets carry by number.
 *
 * Owns: the numbers of names, questions and answers of one simulation, and how many bytes a message
 * has. Refuses to own: who asks and what is answered.
 */
import { seconds, type SimTimeNs } from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";

export const RecordType = { A: 0, AAAA: 1 } as const;
export type RecordTypeCode = (typeof RecordType)[keyof typeof RecordType];

export const Rcode = { NOERROR: 0, NXDOMAIN: 1, SERVFAIL: 2, REFUSED: 3 } as const;
export type RcodeCode = (typeof Rcode)[keyof typeof Rcode];

/** One question: twice the name's number, plus the type. */
export type QuestionId = number;

export interface DnsAnswer {
  readonly rcode: RcodeCode;
  /** In the order in which they stand in the message; empty with NOERROR is "no data". */
  readonly addresses: readonly AddressId[];
  /** CNAME records before them. */
  readonly aliases: number;
  /** Whole seconds that it may be kept for: the least of its records, or the SOA's of a denial. */
  readonly ttlSeconds: number;
}

/** RFC 1035: header; type and class of a question; fixed part of a record with a compressed name. */
const HEADER_BYTES = 12;
const QUESTION_BYTES = 4;
const RECORD_BYTES = 12;
const ADDRESS_BYTES = [4, 16] as const;
/** SOA of a denial, with its two names: as CoreDNS writes it. */
const SOA_BYTES = 93;
/** No packet is under way for as long. */
const KEPT_NS = seconds(60);

export class DnsMessages {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #answers = new Map<number, DnsAnswer>();
  /** Answers in the order of their numbers: when each may be forgotten. */
  readonly #forgetAtNs: SimTimeNs[] = [];
  #nextAnswer = 0;
  #oldest = 0;

  /** @param name absolute, without the dot at its end */
  question(name: string, type: RecordTypeCode): QuestionId {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#names.push(name) - 1;
      this.#ids.set(name, id);
    }
    return 2 * id + type;
  }

  nameOf(question: QuestionId): string {
    return this.#names[question >> 1]!;
  }

  typeOf(question: QuestionId): RecordTypeCode {
    return (question & 1) as RecordTypeCode;
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

  queryBytes(question: QuestionId): number {
    // Each label has its length before it, and an empty one ends the name.
    return HEADER_BYTES + this.nameOf(question).length + 2 + QUESTION_BYTES;
  }

  answerBytes(question: QuestionId, { addresses, aliases }: DnsAnswer): number {
    const records =
      addresses.length * (RECORD_BYTES + ADDRESS_BYTES[this.typeOf(question)]) +
      aliases * (RECORD_BYTES + this.nameOf(question).length + 2);
    return this.queryBytes(question) + (records === 0 ? SOA_BYTES : records);
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
