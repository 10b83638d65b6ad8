/**
 * Failed requests one by one, and why each failed.
 *
 * Owns: pages and filters of the list, and the dialog. Refuses to own: what is known of one (failures.ts).
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, counted, duration } from "../../output/format.ts";
import type { Departure, FailureModel } from "../model.ts";
import { look } from "./palette.ts";
import { Swatch, Table, Term, useReport, View } from "./parts.tsx";
import { Choice } from "./timeline.tsx";

const PAGE = 20;

export function FailuresView(): JSX.Element | null {
  const { failures } = useReport();
  const causes = useMemo(
    () => ["any", ...new Set(failures.cause.map((i) => failures.texts[i]!))],
    [failures],
  );
  const [chosen, choose] = useState(0);
  const [page, setPage] = useState(0);
  const [open, setOpen] = useState<number | null>(null);
  const own = useMemo(() => {
    const all = [...failures.request.keys()];
    return chosen === 0
      ? all
      : all.filter((i) => failures.texts[failures.cause[i]!] === causes[chosen]);
  }, [failures, chosen]);
  if (failures.total === 0) return null;
  const pages = Math.max(1, Math.ceil(own.length / PAGE));
  const shown = own.slice(page * PAGE, (page + 1) * PAGE);
  const listed = failures.request.length;
  return (
    <View
      id="failures"
      title="Failed requests, one by one"
      intro={
        listed < failures.total
          ? `The first ${count(listed)} of ${count(failures.total)}. The number opens what is known of a request.`
          : "The number opens what is known of a request."
      }
    >
      <Choice
        label="Cause"
        of={causes.map((each) => each.replaceAll("_", " "))}
        chosen={chosen}
        choose={(i) => {
          choose(i);
          setPage(0);
        }}
      />
      <FailureTable {...{ failures, shown, setOpen }} />
      <div class="buttons" role="toolbar" aria-label="Pages of failed requests">
        <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
          Earlier
        </button>
        <button type="button" disabled={page + 1 >= pages} onClick={() => setPage(page + 1)}>
          Later
        </button>
        <span aria-live="polite">
          Page {count(page + 1)} of {count(pages)}, {counted(own.length, "request")}
        </span>
      </div>
      {open !== null && <Explanation i={open} close={() => setOpen(null)} />}
    </View>
  );
}

function FailureTable(props: {
  readonly failures: FailureModel;
  readonly shown: readonly number[];
  readonly setOpen: (i: number) => void;
}): JSX.Element {
  const { failures, shown, setOpen } = props;
  const { texts } = failures;
  const head = (column: string, words: string): JSX.Element => (
    <Term of={`failed_requests.csv:${column}`}>{words}</Term>
  );
  return (
    <Table
      caption="Failed requests"
      head={[
        head("request", "Request"),
        head("started_at_ns", "Started"),
        "Took",
        head("cause", "Cause"),
        head("attempts", "Tries"),
        head("client", "Client"),
        head("pod", "Pod"),
        head("node", "Node that chose it"),
        head("stale_routed", "No longer usable"),
      ]}
      rows={shown.map((i) => [
        <button
          type="button"
          class="link"
          onClick={() => setOpen(i)}
          aria-label={`Explain request ${failures.request[i]}`}
        >
          {failures.request[i]}
        </button>,
        duration(failures.startedAtNs[i]!),
        duration(failures.endedAtNs[i]! - failures.startedAtNs[i]!),
        texts[failures.cause[i]!]!.replaceAll("_", " "),
        failures.attempts[i],
        texts[failures.client[i]!],
        texts[failures.pod[i]!] === "" ? "-" : texts[failures.pod[i]!],
        texts[failures.node[i]!] === "" ? "-" : texts[failures.node[i]!],
        failures.stale[i] === 1 ? "yes" : "no",
      ])}
    />
  );
}

function Explanation({ i, close }: { i: number; close: () => void }): JSX.Element {
  const { failures, verdict } = useReport();
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    // Not the first link, whose definition would open over the text.
    title.current?.focus();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const text = (of: "client" | "service" | "cause" | "endpoint" | "pod" | "node"): string =>
    failures.texts[failures[of][i]!]!;
  const words = verdict.causes.find(({ cause }) => cause === text("cause"))?.words ?? text("cause");
  const tries = failures.attempts[i]!;
  const place = failures.departure[i]!;
  const advices = failures.advice[i]!.map((each) => failures.advices[each]!);
  return (
    <dialog ref={dialog} aria-labelledby="explanation-title" onClose={close}>
      <h2 ref={title} id="explanation-title" tabIndex={-1}>
        Why request {failures.request[i]} failed
      </h2>
      <p>
        It was {text("client")}'s to {text("service")}, at {duration(failures.startedAtNs[i]!)}. It{" "}
        <strong>{words}</strong> {duration(failures.endedAtNs[i]! - failures.startedAtNs[i]!)}{" "}
        later, after {tries === 1 ? "one try" : `${count(tries)} tries`}.
      </p>
      {text("endpoint") === "" ? (
        <p>No node's rules had chosen an endpoint for it.</p>
      ) : (
        <p>
          {tries === 1 ? "It" : "Its last try"} went to <code>{text("endpoint")}</code>, pod{" "}
          <code>{text("pod")}</code>
          {text("node") !== "" && `, which ${text("node")} had chosen`}.
          {failures.stale[i] === 0 && " That pod was usable when it was chosen."}
        </p>
      )}
      {place >= 0 && <DepartureText departure={failures.departures[place]!} node={text("node")} />}
      <h3>What would have avoided it</h3>
      {advices.length === 0 && <p>Nothing that the results show.</p>}
      <ul>
        {advices.map(({ setting, because }) => (
          <li key={setting}>
            <strong>{setting}</strong>: {because}.
          </li>
        ))}
      </ul>
      {failures.explain !== null && (
        <>
          <h3>More</h3>
          <p>Every try, the pod's life, and the packet's way through the rules:</p>
          <pre tabIndex={0}>
            {failures.explain} --request {failures.request[i]}
          </pre>
        </>
      )}
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

function DepartureText({ departure, node }: { departure: Departure; node: string }): JSX.Element {
  const { kind, atNs, programmedAtNs, lastNodeAtNs, stages } = departure;
  const took = stages.filter(({ tookNs }) => (tookNs ?? 0) > 0);
  const sum = took.reduce((all, { tookNs }) => all + (tookNs ?? 0), 0);
  return (
    <>
      <p>
        That pod could not be used any more from {duration(atNs)} on (
        {kind === "removed" ? "told to go, or gone" : "no longer ready"}).{" "}
        {programmedAtNs === null
          ? `${node || "The node"} never learnt of it before the run ended.`
          : `${node || "The node"}'s rules held that ${duration(programmedAtNs - atNs)} later, at ${duration(programmedAtNs)}.`}{" "}
        {lastNodeAtNs !== null && `The last node's held it ${duration(lastNodeAtNs - atNs)} after.`}
      </p>
      {took.length > 0 && (
        <ul class="took">
          {took.map(({ stage, tookNs }, i) => (
            <li key={stage}>
              <Swatch look={look(i)} shape="fill" />
              <Term of={`endpoint_update_lag.csv:stage_${stage}_ns`}>{stage}</Term>{" "}
              {duration(tookNs)}
              <svg class="level-bar" width="140" height="8" aria-hidden="true">
                <rect width={(140 * (tookNs ?? 0)) / sum} height="8" class="level" />
              </svg>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
