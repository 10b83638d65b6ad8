/** The default profile with single constants changed, as an author would ask for it. */
import { expect } from "vitest";
import type { ProfileOverride } from "../../src/index.ts";
import { FileMistakes, type Mistake } from "../../src/scenario/mistakes.ts";
import { defaultProfile, type Profile } from "../../src/scenario/profile.ts";
import { overrideProfile } from "../../src/scenario/schema/profile.ts";

export function overridden(override: ProfileOverride): Profile {
  const found: Mistake[] = [];
  const profile = overrideProfile(
    defaultProfile,
    override,
    new FileMistakes(null, () => null, found),
  );
  expect(found).toEqual([]);
  return profile;
}
