/**
 * What the shapes and lines of the cluster's drawing mean.
 *
 * Owns: the list; a shape is drawn as the drawing draws it.
 */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { percent } from "./format.ts";
import type { Links } from "./scene/links.ts";
import { paintsOf, podShape } from "./scene/paints.ts";
import { theme, useShared } from "./state.ts";

const shapes: readonly (readonly [string, number, boolean])[] = [
  ["client", 2, true],
  ["ready pod", 2, false],
  ["starting", 1, false],
  ["cannot be used", 3, false],
  ["told to go", 4, false],
];

interface LegendProps {
  readonly links: Links;
  readonly hasCables: boolean;
}

export function SceneLegend({ links, hasCables }: LegendProps): JSX.Element {
  return (
    <ul class="legend shapes">
      {shapes.map(([name, phase, isClient]) => (
        <li key={name}>
          <Shape {...{ phase, isClient }} /> {name}
        </li>
      ))}
      <li>
        <svg class="swatch" width="28" height="14" aria-hidden="true">
          <path d="M1,7H27" stroke="var(--c0)" stroke-width="1.5" />
          <path d="M5,5h4v4h-4zM18,5h4v4h-4z" fill="var(--c0)" />
        </svg>{" "}
        new connections
      </li>
      <li>
        <svg class="swatch" width="28" height="14" aria-hidden="true">
          <path d="M1,7H27" stroke="var(--alarm)" stroke-width="2" stroke-dasharray="5 3" />
          <path d="M4,4h6v6h-6zM18,4h6v6h-6z" fill="var(--alarm)" />
        </svg>{" "}
        some of them to pods no longer usable
      </li>
      {links.isRecorded && (
        <li>
          <svg class="swatch" width="28" height="14" aria-hidden="true">
            {hasCables ? (
              <path d="M4,5h12v4h-12zM16,1l10,6l-10,6z" fill="var(--ink-soft)" />
            ) : (
              <>
                <path d="M1,3h26v3h-26zM1,8h26v3h-26z" fill="var(--grid)" />
                <path d="M1,3h18v3h-18zM1,8h11v3h-11z" fill="var(--ink-soft)" />
              </>
            )}
          </svg>{" "}
          a node's link, out and in; {hasCables ? "thickest" : "full"} at {percent(links.most)}, the
          busiest of the run
        </li>
      )}
    </ul>
  );
}

function Shape({ phase, isClient }: { phase: number; isClient: boolean }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const mode = useShared(theme);
  useEffect(() => {
    const pen = canvas.current!.getContext("2d")!;
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.clearRect(0, 0, 18, 18);
    podShape(pen, paintsOf(), { isClient }, phase, 9, 9, 7);
  }, [mode]);
  return <canvas ref={canvas} width="36" height="36" class="shape" aria-hidden="true" />;
}
