/**
 * Whether a text is Mermaid or DOT, as far as traces use them: strict grammars of our own, which know only the
 * statements that there should be and every sign that may not stand where it stands.
 */

/** Why it is no sequence diagram; null: it is one. */
export function mermaidProblem(text: string): string | null {
  const [head, ...lines] = text.replace(/\n$/, "").split("\n");
  if (head !== "sequenceDiagram") return `begins with ${head}`;
  const participants = new Set<string>();
  // A ";" ends a statement and a "#" begins an entity; both may only be parts of one.
  const words = String.raw`(?:[^#;"<>{}]|#(?:\d+|\w+);|<br\/>)+`;
  const statements: readonly [RegExp, (match: RegExpExecArray) => boolean][] = [
    [
      new RegExp(`^  participant (\\w+) as ${words}$`),
      ([, id]) => !participants.has(id!) && participants.add(id!) !== undefined,
    ],
    [new RegExp(`^  Note over (\\w+): ${words}$`), ([, id]) => participants.has(id!)],
    [
      new RegExp(`^  (\\w+)->>(\\w+): ${words}$`),
      ([, from, to]) => participants.has(from!) && participants.has(to!),
    ],
  ];
  const wrong = lines.find(
    (line) =>
      !statements.some(([pattern, holds]) => {
        const match = pattern.exec(line);
        return match !== null && holds(match);
      }),
  );
  return wrong === undefined ? null : `no statement: ${wrong}`;
}

/** Why it is no digraph; null: it is one. Grammar: graphviz.org/doc/info/lang.html. */
export function dotProblem(text: string): string | null {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|->|[{}[\];=,]|\S/gs) ?? [];
  let at = 0;
  const id = (): boolean => {
    const found = /^(?:"[\s\S]*"|[A-Za-z_]\w*)$/.test(tokens[at] ?? "");
    if (found) at++;
    return found;
  };
  const sign = (wanted: string): boolean => {
    const found = tokens[at] === wanted;
    if (found) at++;
    return found;
  };
  const attributes = (): boolean => {
    if (!sign("[")) return true;
    do {
      if (!id() || !sign("=") || !id()) return false;
    } while (sign(","));
    return sign("]");
  };
  const statement = (): boolean => {
    if (sign("subgraph")) return id() && block();
    if (!id()) return false;
    if (sign("=")) return id() && sign(";");
    while (sign("->")) if (!id()) return false;
    return attributes() && sign(";");
  };
  const block = (): boolean => {
    if (!sign("{")) return false;
    while (tokens[at] !== "}") if (at >= tokens.length || !statement()) return false;
    return sign("}");
  };
  const isGraph = sign("digraph") && id() && block() && at === tokens.length;
  return isGraph ? null : `at token ${at}: ${tokens.slice(at, at + 5).join(" ")}`;
}
