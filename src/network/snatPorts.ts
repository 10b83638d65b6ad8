/**
 * The port that a masqueraded connection leaves by.
 *
 * Owns: which ports are tried, in which order, and when it is given up. Refuses to own: whether a port is
 * taken (conntrack.ts). Source: nf_nat_core.c, nf_nat_l4proto_unique_tuple().
 */
import type { RandomStream } from "../engine/index.ts";
import type { LinuxProfile } from "./profile.ts";

/** No port is free for masquerading. */
export const NO_PORT = -1;

type SnatProfile = LinuxProfile["conntrack"]["snat"];

export class SnatPorts {
  private readonly stream: RandomStream;
  private readonly profile: SnatProfile;
  private readonly reply: { destinationPort: number };
  private readonly isTaken: (protocol: number, evict: boolean) => boolean;

  /**
   * @param reply the tuple of the replies, in which each port is tried
   * @param isTaken whether `reply` is in use; with `evict` a closed connection gives its port up
   */
  constructor(
    stream: RandomStream,
    profile: SnatProfile,
    reply: { destinationPort: number },
    isTaken: (protocol: number, evict: boolean) => boolean,
  ) {
    this.stream = stream;
    this.profile = profile;
    this.reply = reply;
    this.isTaken = isTaken;
  }

  /**
   * From a random port on, 128 tries; then from others 64, 32, 16 and 8.
   * @param keepClass a port below 512 or 1024 stays so, as it does without --random-fully and a range
   */
  pick(protocol: number, sourcePort: number, keepClass: boolean): number {
    const { profile: snat, reply } = this;
    const [first, last] = keepClass ? portClass(sourcePort, snat) : [snat.portFirst, snat.portLast];
    const ports = last - first + 1;
    for (let tries = Math.min(ports, snat.maxAttempts); ; tries = Math.floor(tries / 2)) {
      const start = this.stream.below(ports);
      for (let i = 0; i < tries; i++) {
        const port = first + ((start + i) % ports);
        reply.destinationPort = port;
        if (!this.isTaken(protocol, tries - i <= snat.evictAttempts)) return port;
      }
      if (tries >= ports || tries < snat.minAttempts) return NO_PORT;
    }
  }
}

/** Without a range, a port stays below 512, below 1024, or above. */
function portClass(port: number, { portFirst, portLast }: SnatProfile): readonly [number, number] {
  if (port >= 1024) return [portFirst, portLast];
  return port < 512 ? [1, 511] : [600, 1023];
}
