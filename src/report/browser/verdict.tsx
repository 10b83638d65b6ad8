/**
 * The first view: what happened, why requests failed, what to change, how to repeat it.
 *
 * Owns: its layout. Refuses to own: the words (verdict.ts).
 */
import type { JSX } from "preact";
import { count, percentage } from "../../output/format.ts";
import type { Verdict } from "../model.ts";
import { look } from "./palette.ts";
import { Swatch, Term, useReport } from "./parts.tsx";

const tones = {
  good: ["✓", "Nothing failed"],
  bad: ["✗", "Requests failed"],
  neutral: ["○", "Nothing to judge"],
} as const;

export function VerdictView(): JSX.Element {
  const { verdict, description, aggregated } = useReport();
  const [sign, word] = tones[verdict.tone];
  const crossed = verdict.thresholds.filter(({ passed }) => !passed).length;
  return (
    <section id="verdict" class="view verdict" aria-labelledby="verdict-title">
      <p class="question">{description}</p>
      <h2 id="verdict-title" class={`tone ${verdict.tone}`}>
        <span aria-hidden="true">{sign}</span>{" "}
        {crossed > 0
          ? `${word}; ${crossed} of ${verdict.thresholds.length} thresholds crossed`
          : word}
      </h2>
      <div class="sentences">
        {verdict.sentences.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
      </div>
      <div class="columns">
        <Thresholds verdict={verdict} />
        <Causes verdict={verdict} />
        <Changes verdict={verdict} />
      </div>
      {aggregated.length > 0 && (
        <aside class="note">
          <h3>Shown less finely than measured</h3>
          <ul>
            {aggregated.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </aside>
      )}
    </section>
  );
}

function Thresholds({ verdict: { thresholds } }: { verdict: Verdict }): JSX.Element | null {
  if (thresholds.length === 0) return null;
  return (
    <div class="card">
      <h3>Thresholds</h3>
      <ul class="plain">
        {thresholds.map(({ text, passed, figure }) => (
          <li key={text} class={passed ? "kept" : "crossed"}>
            <span aria-hidden="true">{passed ? "✓" : "✗"}</span> <code>{text}</code>:{" "}
            {passed ? "kept" : "not kept"}, {figure}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Causes({ verdict: { causes } }: { verdict: Verdict }): JSX.Element | null {
  if (causes.length === 0) return null;
  const all = causes.reduce((sum, each) => sum + each.count, 0);
  return (
    <div class="card">
      <h3>
        <Term of="failures.csv:cause">Failed requests by cause</Term>
      </h3>
      <ul class="plain causes">
        {causes.map(({ cause, words, count: number, stale }, i) => (
          <li key={cause}>
            <Swatch look={causeLook(i)} shape="fill" /> <strong>{count(number)}</strong> {words}
            <span class="soft">
              {" "}
              ({percentage(number, all)} of them)
              {stale > 0 && `; ${count(stale)} of them went to pods that were no longer usable`}
            </span>
          </li>
        ))}
      </ul>
      <p>
        <a href="#failures">See them one by one</a>
      </p>
    </div>
  );
}

/** Causes have one look on the whole page: by how often they are. */
export function causeLook(i: number): ReturnType<typeof look> {
  return look(i + 1);
}

function Changes({ verdict: { changes, lookedAt } }: { verdict: Verdict }): JSX.Element | null {
  if (changes.length === 0) return null;
  return (
    <div class="card wide">
      <h3>What would have helped</h3>
      <ol class="changes">
        {changes.map(({ setting, because, requests }) => (
          <li key={setting}>
            <p>
              <strong>{setting}</strong>
            </p>
            <p class="soft">
              For {count(requests)} of {count(lookedAt)} failed requests, as one of them shows:{" "}
              {because}.
            </p>
          </li>
        ))}
      </ol>
    </div>
  );
}
