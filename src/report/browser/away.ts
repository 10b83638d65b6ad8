/**
 * Canvases that are not in the window are not part of the picture.
 *
 * Owns: finding out which are. On paper all are (style.css).
 */
import { useEffect } from "preact/hooks";

const MARGIN = "300px";

/** While `holder` is away from the window its canvases are hidden; they keep their place. */
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
