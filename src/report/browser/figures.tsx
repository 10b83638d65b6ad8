/**
 * What remains to be said: the summary's tables, what was left out, and the dictionary that every figure leads to.
 *
 * Owns: their order at the end of the page.
 */
import type { JSX } from "preact";
import { definitionId, Table, useReport, View } from "./parts.tsx";

export function FiguresView(): JSX.Element {
  const { sections } = useReport();
  return (
    <View
      id="figures"
      title="All figures"
      intro="The tables of the summary, as the command prints them."
    >
      <div class="columns">
        {sections.map(({ title, head, rows, notes }) => (
          <div class="card" key={title}>
            {rows.length > 0 ? (
              <Table caption={title} head={["", ...head]} rows={rows} />
            ) : (
              <h3>{title}</h3>
            )}
            {notes.map((note) => (
              <p key={note} class="soft">
                {note}
              </p>
            ))}
          </div>
        ))}
      </div>
    </View>
  );
}

export function LimitsView(): JSX.Element {
  const { ignored, notModelled } = useReport();
  return (
    <View id="limits" title="What this says nothing about">
      {ignored.length > 0 && (
        <details>
          <summary>Read and ignored ({ignored.length})</summary>
          <ul>
            {ignored.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>Not modelled ({notModelled.length})</summary>
        <ul>
          {notModelled.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      </details>
    </View>
  );
}

export function DictionaryView(): JSX.Element {
  const { definitions } = useReport();
  const byFile = new Map<string, [string, string][]>();
  for (const [key, meaning] of Object.entries(definitions)) {
    const [file = "", column = ""] = key.split(":");
    byFile.set(file, [...(byFile.get(file) ?? []), [column, meaning]]);
  }
  return (
    <View
      id="dictionary"
      title="What the figures mean"
      intro="The metrics dictionary: columns of the results, which docs/metrics.md describes in full."
    >
      {[...byFile].map(([file, columns]) => (
        <div key={file}>
          <h3>{file}</h3>
          <dl>
            {columns.map(([column, meaning]) => (
              <div key={column} id={definitionId(`${file}:${column}`)} tabIndex={-1}>
                <dt>
                  <code>{column}</code>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </View>
  );
}
