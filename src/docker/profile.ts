/**
 * Constants of the Docker daemon and its rules. "timings §N" is docs/sources.md, section N.
 *
 * Owns: the numbers with unit and source. Refuses to own: what a hop costs (network/profile.ts).
 */
import { minutes, ms, seconds, us, type DistributionSpec } from "../engine/index.ts";

export const dockerProfile = {
  /** From `docker start`, when address and ports are taken, until the process runs. A judgement (timings §1.5). */
  startTime: { kind: "lognormal", p50: ms(300), p99: ms(1500) } as DistributionSpec,
  /** From SIGTERM to SIGKILL of `docker stop` (timings §8). */
  stopTimeoutNs: seconds(10),
  /** Restart policy: the first wait, doubling to the last; afresh after a run of that length (timings §8). */
  restartBackoffBaseNs: ms(100),
  restartBackoffMaxNs: minutes(1),
  restartResetNs: seconds(10),
  /** Each rule that a first packet is compared with (kubeproxy_cpu_tigera.csv). */
  nsPerRule: 16.7,
  /**
   * Each packet that nat changes. docker_bridge_nat.csv: 432,079 transactions/s over the bridge, 243,145
   * with NAT and a veth without a queue, as veths are now: 1.80 us for two packets.
   */
  natNsPerPacket: 900,
  /**
   * docker-proxy, for each message that it copies. docker_bridge_nat.csv (moby#11911, over loopback): 264,270
   * requests/s without, 117,744 through it: 4.71 us for two messages, of which veths take 0.97 us.
   */
  proxyRelayNs: us(1.87),
  /** UDPConnTrackTimeout of docker-proxy: a client's socket goes when its container is silent for so long (timings §8). */
  proxyUdpTimeoutNs: seconds(90),
};

export type DockerProfile = typeof dockerProfile;
