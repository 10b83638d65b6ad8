/**
 * Series that stand beside one another can be told apart without their colours, and all of them from the page.
 *
 * Broken on purpose and seen to fail: with the colours of Okabe and Ito as they are, which are all equally light; with
 * one dash for all; with a ramp whose middle is its darkest.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { contrast, lightness, rgbOf } from "../helpers/colors.ts";

interface Look {
  readonly color: string;
  readonly dash: readonly number[];
  readonly hatch: number;
}
interface Palette {
  look(i: number): Look;
  rampColor(theme: "light" | "dark", share: number): string;
  readonly COLOURS: number;
}

// By a name that the type checker does not follow: the browser part has a project of its own.
const browser = new URL("../../src/report/browser/", import.meta.url);
const { look, rampColor, COLOURS } = (await import(
  new URL("palette.ts", browser).pathname
)) as Palette;
const style = readFileSync(new URL("style.css", browser), "utf8");

/** A variable of a theme: light is written first, dark second. */
function colorOf(name: string, theme: "light" | "dark"): number[] {
  const all = [...style.matchAll(new RegExp(`${name}: (#[0-9a-f]{6});`, "g"))];
  return rgbOf(all[theme === "light" ? 0 : 1]![1]!);
}

describe.each(["light", "dark"] as const)("series in the %s theme", (theme) => {
  const colors = Array.from({ length: COLOURS }, (_, i) => colorOf(look(i).color, theme));

  it("have neighbours of another grey, by ten steps of a hundred at least", () => {
    for (const [i, color] of colors.entries()) {
      const next = colors[(i + 1) % COLOURS]!;
      expect(Math.abs(lightness(color) - lightness(next)), `--c${i}`).toBeGreaterThanOrEqual(10);
    }
  });

  it("stand out from paper and cards as WCAG 1.4.11 asks", () => {
    for (const ground of ["--paper", "--card"]) {
      for (const [i, color] of colors.entries()) {
        const found = contrast(color, colorOf(ground, theme));
        expect(found, `--c${i} on ${ground}`).toBeGreaterThanOrEqual(3);
      }
    }
  });

  it("have a ramp that goes one way", () => {
    const steps = Array.from({ length: 21 }, (_, i) => {
      const numbers = rampColor(theme, i / 20).match(/\d+/g)!;
      return lightness(numbers.map(Number));
    });
    const way = theme === "light" ? -1 : 1;
    for (const [i, step] of steps.slice(1).entries()) {
      expect((step - steps[i]!) * way, `step ${i + 1}`).toBeGreaterThan(0);
    }
  });
});

it("gives neighbours other dashes and other hatchings", () => {
  for (let i = 0; i < 2 * COLOURS; i++) {
    expect(look(i).dash).not.toEqual(look(i + 1).dash);
    expect(look(i).hatch).not.toBe(look(i + 1).hatch);
  }
});
