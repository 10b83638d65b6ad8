/**
 * What an author may write under `profile`.
 *
 * Owns: the type only; schema/profile.ts reads it.
 */
import type { Profile } from "../profile.ts";
import type { DistributionInput } from "./distributions.ts";
import type { Duration } from "./scenario.ts";

/**
 * Any part of the profile, by its path. A constant whose name ends in `Ns` is written without that
 * ending, as a duration: `minSyncPeriodNs` is `minSyncPeriod: "10s"`.
 */
export type ProfileOverride = Override<Omit<Profile, "name">>;

type Override<T> = {
  -readonly [K in keyof T as K extends `${infer Base}Ns` ? Base : K]?: OverrideOf<
    T[K],
    K extends `${string}Ns` ? true : false
  >;
};

type OverrideOf<V, IsDuration extends boolean> = V extends { readonly kind: string }
  ? DistributionInput | Duration
  : V extends number
    ? IsDuration extends true
      ? Duration
      : number
    : V extends string
      ? V
      : V extends boolean
        ? boolean
        : V extends readonly unknown[]
          ? OverrideOf<V[number], IsDuration>[]
          : V extends object
            ? Override<V>
            : V;
