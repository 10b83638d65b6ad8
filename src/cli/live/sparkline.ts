/**
 * A row of little bars.
 *
 * Owns: which cell shows which windows. The row is the whole run: what has not happened yet is blank.
 */

const LEVELS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/** Nothing, or zero: seen, but not as a bar. */
const NOTHING = "·";

/**
 * @param values of the windows so far; null: there was nothing
 * @param windows of the whole run
 * @returns `cells` characters
 */
export function sparkline(
  values: readonly (number | null)[],
  windows: number,
  cells: number,
): string {
  const most = Math.max(0, ...cellsOf(values, windows, cells).map((each) => each ?? 0));
  const drawn = cellsOf(values, windows, cells).map((value) => {
    if (value === null || value <= 0) return NOTHING;
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / most) * LEVELS.length))]!;
  });
  return drawn.join("").padEnd(cells);
}

/** The largest value of the windows that each cell stands for; cells that have begun. */
function cellsOf(
  values: readonly (number | null)[],
  windows: number,
  cells: number,
): (number | null)[] {
  const perCell = Math.max(1, windows) / cells;
  const found: (number | null)[] = [];
  for (let cell = 0; cell < cells; cell++) {
    const from = Math.floor(cell * perCell);
    if (from >= values.length) break;
    const until = Math.max(from + 1, Math.floor((cell + 1) * perCell));
    let most: number | null = null;
    for (let i = from; i < Math.min(until, values.length); i++) {
      const value = values[i]!;
      if (value !== null) most = Math.max(most ?? value, value);
    }
    found.push(most);
  }
  return found;
}
