/**
 * What `sim run` would say of a scenario and its objects.
 *
 * Owns: asking the strict readers, and finding the object and the field that an answer is about. So an import
 * never has rules of its own about what is right: whatever it writes has passed the reader that runs it.
 */
import { validateScenario } from "../validate.ts";
import { noObjects, readManifestObjects } from "../manifests/read.ts";
import { FileMistakes, type Mistake, type Path } from "../mistakes.ts";
import { defaultProfile } from "../profile.ts";
import type { ResolvedScenario } from "../resolved.ts";
import type { RawValue } from "./json.ts";

/** One answer. */
export interface Finding {
  /** Index of the object; null for the scenario itself. */
  readonly object: number | null;
  readonly path: Path;
  readonly found: string;
  readonly allowed: string | null;
  readonly suggestion?: string | null;
}

export interface Verdict {
  readonly mistakes: readonly Finding[];
  /** What is right and has no effect: `found` says why. */
  readonly ignored: readonly Finding[];
  /** null after mistakes. */
  readonly scenario: ResolvedScenario | null;
}

/** One object by itself. */
export function judgeObject(value: RawValue): Verdict {
  const sink: Mistake[] = [];
  const places = new Places();
  const objects = noObjects();
  readManifestObjects([{ value, mistakes: places.mistakesOf(0, sink) }], objects);
  return {
    mistakes: places.findings(sink),
    ignored: places.notices(objects.ignored),
    scenario: null,
  };
}

/** All of it. @param written a scenario as plain data, without manifests of its own */
export function judgeScenario(
  written: unknown,
  values: readonly RawValue[],
  name = "import",
): Verdict {
  const sink: Mistake[] = [];
  const places = new Places();
  const objects = values.map((value, index) => ({
    value,
    mistakes: places.mistakesOf(index, sink),
  }));
  const surroundings = {
    name,
    description: "",
    file: null,
    env: {},
    folder: ".",
    shownFolder: "",
    defaultProfile,
    objects,
  };
  const scenario = validateScenario(written, surroundings, places.mistakesOf(null, sink), sink);
  return {
    mistakes: places.findings(sink),
    ignored: places.notices(scenario?.ignored ?? []),
    scenario: sink.length === 0 ? (scenario ?? null) : null,
  };
}

/** Remembers every place that a reader has asked for, and gives it a number as its line. */
class Places {
  readonly #asked: { readonly object: number | null; readonly path: Path }[] = [];

  mistakesOf(object: number | null, sink: Mistake[]): FileMistakes {
    const locate = (path: Path) => ({ line: this.#asked.push({ object, path }), column: 1 });
    return new FileMistakes("import", locate, sink);
  }

  findings(mistakes: readonly Mistake[]): Finding[] {
    return mistakes.map(({ line, found, allowed, suggestion }) => ({
      ...this.#at(line),
      found,
      allowed,
      suggestion,
    }));
  }

  notices(ignored: readonly { readonly place: string; readonly reason: string }[]): Finding[] {
    return ignored.map(({ place, reason }) => {
      const line = Number(place.slice(place.lastIndexOf(":") + 1));
      return { ...this.#at(line), found: reason, allowed: null };
    });
  }

  #at(line: number | null): { readonly object: number | null; readonly path: Path } {
    return this.#asked[(line ?? 0) - 1] ?? { object: null, path: [] };
  }
}
