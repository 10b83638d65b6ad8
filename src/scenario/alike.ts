/**
 * What is said of several objects of a kind is said once.
 *
 * Owns: the line. Refuses to own: what is said (import/report.ts, output/).
 */

/** @param object "Deployment shop/cart" */
export interface Said {
  readonly object: string;
  readonly place: string;
  readonly text: string;
}

/** "Deployment shop/cart (all.yaml:12) and 2 more: TEXT", in the order in which each is first said. */
export function saidOnce(said: readonly Said[]): string[] {
  const alike = new Map<string, Said[]>();
  for (const each of said) {
    const key = `${each.object.slice(0, each.object.indexOf(" "))} ${each.text}`;
    const known = alike.get(key);
    if (known === undefined) alike.set(key, [each]);
    else known.push(each);
  }
  return [...alike.values()].map((own) => {
    const { object, place, text } = own[0]!;
    const others = own.length === 1 ? "" : ` and ${own.length - 1} more`;
    return `${object} (${place})${others}: ${text}`;
  });
}
