/**
 * All processes of the cluster's DNS: what they have in common, and what can go wrong with all of them at once.
 *
 * Owns: who runs, and whether the configuration that they read at their start can be read. Refuses to own: what a
 * process does (server.ts), and how it comes back (its kubelet, by the container's back-off).
 */

/** A process of it. */
export interface DnsProcess {
  crash(exitCode: number): void;
  /** It stands still from now on: its sockets are the kernel's and stay. */
  hang(): void;
  goOn(): void;
}

/** CoreDNS ends with 1 when it cannot read its Corefile. */
export const EXIT_CONFIG = 1;

export class DnsFleet {
  readonly #running = new Set<DnsProcess>();
  #isBroken = false;

  /** A process that starts now finds a Corefile that it cannot read. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  started(process: DnsProcess): void {
    this.#running.add(process);
  }

  ended(process: DnsProcess): void {
    this.#running.delete(process);
  }

  /** All end now, and whoever starts before mend() does as well. */
  break(): void {
    this.#isBroken = true;
    for (const process of this.#running) process.crash(EXIT_CONFIG);
  }

  mend(): void {
    this.#isBroken = false;
  }

  /** Those that run now stand still. @returns what lets those of them go on that still run */
  hang(): () => void {
    const hung = [...this.#running];
    for (const process of hung) process.hang();
    return () => {
      for (const process of hung) if (this.#running.has(process)) process.goOn();
    };
  }
}
