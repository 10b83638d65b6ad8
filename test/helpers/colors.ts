/**
 * How light a colour is seen, and how much two of them differ.
 *
 * Owns: the formulas of WCAG 2 and CIE 1976.
 */

/** Red, green and blue of "#rrggbb". */
export function rgbOf(text: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
}

/** WCAG 2's relative luminance. */
function luminance(rgb: readonly number[]): number {
  const [red, green, blue] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** CIE L*: how light a grey of it is seen, 0 to 100. */
export function lightness(rgb: readonly number[]): number {
  return 116 * Math.cbrt(luminance(rgb)) - 16;
}

export function contrast(a: readonly number[], b: readonly number[]): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}
