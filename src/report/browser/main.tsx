/**
 * The program of a report: unpacks the data, and draws one view after the other so that the first is there at once.
 *
 * Owns: the order of views, and the page's head.
 */
import { render } from "preact";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { duration } from "../../output/format.ts";
import type { Report } from "../model.ts";
import { ClusterView } from "./cluster.tsx";
import { FailuresView } from "./failures.tsx";
import { DictionaryView, FiguresView, LimitsView } from "./figures.tsx";
import { LagView } from "./lag.tsx";
import { LoadView } from "./load.tsx";
import { ReportContext } from "./parts.tsx";
import { chooseTheme, followTheme, theme, TimeAxis, useShared } from "./state.ts";
import { TimelineView } from "./timeline.tsx";
import { VerdictView } from "./verdict.tsx";

const views: readonly (readonly [string, string, (axis: TimeAxis) => JSX.Element])[] = [
  ["verdict", "Verdict", () => <VerdictView />],
  ["timeline", "Timeline", (axis) => <TimelineView axis={axis} />],
  ["lag", "Lag", () => <LagView />],
  ["cluster", "Cluster", () => <ClusterView />],
  ["load", "Load", (axis) => <LoadView axis={axis} />],
  ["failures", "Failures", () => <FailuresView />],
  ["figures", "Figures", () => <FiguresView />],
  ["limits", "Limits", () => <LimitsView />],
  ["dictionary", "Dictionary", () => <DictionaryView />],
];

function Page({ report }: { report: Report }): JSX.Element {
  const axis = useMemo(() => new TimeAxis(report.durationNs), [report]);
  // One view a frame: what is seen first does not wait for what is further down.
  const [shown, setShown] = useState(1);
  useEffect(() => {
    if (shown === views.length) {
      document.documentElement.dataset["drawn"] = "all";
      return;
    }
    const timer = setTimeout(() => setShown(shown + 1), 0);
    return () => clearTimeout(timer);
  }, [shown]);
  const has = (id: string): boolean =>
    !(id === "failures" && report.failures.total === 0) &&
    !(id === "cluster" && report.cluster.nodes.length === 0) &&
    !(id === "lag" && report.lag.kinds.length === 0);
  const { podstorm, kubernetes } = report.versions;
  return (
    <ReportContext.Provider value={report}>
      <header>
        <div>
          <h1>{report.scenario}</h1>
          <p class="soft">
            seed {report.seed}, {duration(report.durationNs)} simulated, Kubernetes {kubernetes},
            podstorm {podstorm}
          </p>
        </div>
        <nav aria-label="Views">
          <ul>
            {views.map(
              ([id, title]) =>
                has(id) && (
                  <li key={id}>
                    <a href={`#${id}`}>{title}</a>
                  </li>
                ),
            )}
          </ul>
        </nav>
        <ThemeButton />
      </header>
      <main>
        {views.slice(0, shown).map(([id, , view]) => has(id) && <div key={id}>{view(axis)}</div>)}
      </main>
      <footer>
        <p>
          Repeat it: <code>{report.replay}</code>
        </p>
        <p class="soft">
          Fingerprints: events {report.fingerprints.events}, results {report.fingerprints.results}
        </p>
      </footer>
    </ReportContext.Provider>
  );
}

function ThemeButton(): JSX.Element {
  const mode = useShared(theme);
  const other = mode === "light" ? "dark" : "light";
  return (
    <button type="button" class="theme" onClick={() => chooseTheme(other)}>
      {other === "dark" ? "Dark" : "Light"}
    </button>
  );
}

async function start(): Promise<void> {
  followTheme();
  const text = document.getElementById("report-data")!.textContent!;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const report = (await new Response(stream).json()) as Report;
  const holder = document.getElementById("report")!;
  holder.textContent = "";
  document.documentElement.dataset["drawn"] = "first";
  render(<Page report={report} />, holder);
}

void start();
