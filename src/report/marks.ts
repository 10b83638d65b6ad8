/**
 * Faults as marks on the time axis: instants, and spans of what lasts.
 *
 * Owns: which events are faults, and putting those of one instant together.
 */
import type { ResultsFolder } from "./folder.ts";
import type { Mark } from "./model.ts";

const MARKS_MAX = 60;

export async function readMarks(results: ResultsFolder, endNs: number): Promise<readonly Mark[]> {
  const spans: { fromNs: number; toNs: number; label: string; object: string }[] = [];
  const resets = new Map<string, { fromNs: number; count: number; label: string }>();
  await results.rows("events.csv", ["time_ns", "kind", "object", "detail"], (cells) => {
    const [time, kind, object, detail] = cells as [string, string, string, string];
    const fromNs = Number(time);
    if (kind === "pod_reset" || kind === "container_reset") {
      const label = `${kind.replace("_", " ")}: ${detail}`;
      const key = `${fromNs} ${label}`;
      const known = resets.get(key);
      if (known === undefined) resets.set(key, { fromNs, count: 1, label });
      else known.count++;
    } else if (kind === "fault") spans.push({ fromNs, toNs: fromNs, label: detail, object });
    else if (kind === "fault_began") spans.push({ fromNs, toNs: endNs, label: detail, object });
    else if (kind === "fault_ended") {
      const open = spans.find(
        (each) => each.label === detail && each.object === object && each.toNs === endNs,
      );
      if (open !== undefined) open.toNs = fromNs;
    }
  });
  const marks = [
    ...spans.map(({ fromNs, toNs, label, object }) => ({
      fromNs,
      toNs,
      label: `${label} ${object}`,
    })),
    ...[...resets.values()].map(({ fromNs, count, label }) => ({
      fromNs,
      toNs: fromNs,
      label: count === 1 ? label : `${label}, ${count} times`,
    })),
  ];
  return joined(marks.sort((a, b) => a.fromNs - b.fromNs));
}

/** Of too many, those of a stretch of time become one. */
function joined(marks: readonly Mark[]): readonly Mark[] {
  if (marks.length <= MARKS_MAX) return marks;
  const together = Math.ceil(marks.length / MARKS_MAX);
  return Array.from({ length: Math.ceil(marks.length / together) }, (_, i) => {
    const own = marks.slice(i * together, (i + 1) * together);
    const toNs = Math.max(...own.map((mark) => mark.toNs));
    return { fromNs: own[0]!.fromNs, toNs, label: `${own.length} faults, first ${own[0]!.label}` };
  });
}
