/**
 * `sim explain`: run a scenario twice, and say why one request failed.
 *
 * Owns: which request is meant, and the order of these. Refuses to own: the explanation (inspect/), arguments
 * (commands/).
 */
import type { ExplanationFormat, Wanted } from "../inspect/index.ts";
import { Outcome, outcomeNames } from "../observe/index.ts";
import { shellCommand, subjectWords } from "../output/index.ts";
import { nearest, optionMistake, UserError } from "../scenario/index.ts";
import { runInSlices } from "../library/slices.ts";
import type { Dependencies, Run, ScenarioOverrides } from "./dependencies.ts";
import { InternalFault } from "./faults.ts";
import type { Io } from "./io.ts";
import { repeated } from "./look.ts";
import { Progress } from "./progress.ts";
import { overridesOf } from "./run.ts";

export interface ExplainArguments extends ScenarioOverrides {
  readonly file: string;
  /** One of them, as typed. */
  readonly request?: string;
  readonly firstFailure?: string;
  readonly output: ExplanationFormat;
}

/** @throws UserError, Interrupted, InternalFault */
export async function explainCommand(
  args: ExplainArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<void> {
  const wanted = wantedOf(args);
  const scenario = await dependencies.loadScenario(args.file, overridesOf(args));
  io.signal.throwIfAborted();
  const progress = new Progress(io, false);
  let run: Run | undefined;
  try {
    const explaining = await dependencies.explain(scenario, wanted);
    run = explaining.search;
    await runInSlices(run, scenario.durationNs, io, (state) => progress.update(state));
    const again = explaining.again();
    if (again !== null) {
      ({ run } = again);
      await runInSlices(run, again.untilNs, io, (state) => progress.update(state));
    }
    progress.end();
    io.stdout.write(explaining.explain(args.output));
  } catch (error) {
    const replay = shellCommand([
      "sim",
      "explain",
      ...subjectWords(args),
      ...words(args),
      ...repeated(args, scenario),
    ]);
    throw InternalFault.wrap(error, run?.nowNs ?? 0, replay, io.signal);
  } finally {
    progress.end();
  }
}

function words({ request, firstFailure }: ExplainArguments): string[] {
  return request === undefined ? ["--first-failure", firstFailure ?? ""] : ["--request", request];
}

/** @throws UserError for none, for both, and for what is no number and no cause */
function wantedOf({ request, firstFailure }: ExplainArguments): Wanted {
  if ((request === undefined) === (firstFailure === undefined)) {
    const found =
      request === undefined ? "neither it nor --first-failure" : "both it and --first-failure";
    throw new UserError([optionMistake("--request", found, "one of the two")]);
  }
  if (request !== undefined) {
    if (/^\d{1,15}$/.test(request)) return { request: Number(request) };
    const found = JSON.stringify(request.slice(0, 40));
    throw new UserError([optionMistake("--request", found, "a whole number from 0")]);
  }
  const causes = outcomeNames.filter((name) => name !== "served");
  const cause = causes.find((name) => name === firstFailure);
  if (cause !== undefined) return { firstFailure: Outcome[cause] };
  const found = JSON.stringify(firstFailure!.slice(0, 40));
  const allowed = `one of ${causes.join(", ")}`;
  throw new UserError([
    optionMistake("--first-failure", found, allowed, nearest(firstFailure!, causes)),
  ]);
}
