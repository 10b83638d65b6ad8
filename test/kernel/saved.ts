/** What the tools print, as it can be compared with what was given to them. */

export function textOf(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

/** Without comments and counters, and with the probabilities that the kernel made its fractions of. */
export function asKubeProxyWrote(saved: string): string[] {
  return saved
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.replace(/\[\d+:\d+\]$/, "[0:0]"))
    .map((line) =>
      line.replace(/--probability ([\d.]+)/, (_, text: string) => {
        return `--probability ${(1 / Math.round(1 / Number(text))).toFixed(10)}`;
      }),
    );
}
