/**
 * Canvases that are not in the window cost nothing while a replay plays.
 *
 * Owns: finding out which they are. What hides them then is style.css.
 */
import { useEffect } from "preact/hooks";

const MARGIN = "300px";

/** Marks `holder` while it is away from the window. */
export function useAway(holder: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => holder.current?.classList.toggle("away", entry?.isIntersecting === false),
      { rootMargin: MARGIN },
    );
    observer.observe(holder.current!);
    return () => observer.disconnect();
  }, [holder]);
}
