/**
 * The phases of one instant.
 *
 * Owns: the written order in which events of equal time happen. Refuses to own: the order within one
 * phase, which is the order of scheduling (event-queue.ts). Explained in docs/order-of-events.md.
 */

/** What happens first at one instant has the lower number. */
export const Phase = {
  /** What finishes: service ends, a lock is released, a process is resumed. */
  complete: 0,
  /** What changes the world: endpoints, rules, links, capacity. */
  topology: 1,
  /** What arrives at the end of a way: packets, replies, watch events. */
  deliver: 2,
  /** What gives up: deadlines. After `deliver`, so a reply that meets its deadline is in time. */
  timeout: 3,
  /** What begins: arrivals, new requests. They find the instant's capacity already freed. */
  start: 4,
  /** What only looks: windows and samples. They see the instant's final state. */
  sample: 5,
} as const;
export type PhaseName = keyof typeof Phase;
export type Phase = (typeof Phase)[PhaseName];

/** Phase names in the order of their numbers. */
export const phaseNames = Object.keys(Phase) as readonly PhaseName[];
