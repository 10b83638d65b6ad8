/** What the summary tells of events. */
import { expect, it } from "vitest";
import { Events } from "../../src/observe/recorders/events.ts";

/** Seen to fail without container_not_found, as it was: such a client was in no line of the summary. */
it("tells of everything that failed to start, clients without an address too", () => {
  const events = new Events();
  events.event(0, "container_not_found", "client/host/early", "it has no address now");
  events.event(1, "container_started", "container/web", "172.17.0.2");
  events.event(2, "listen_failed", "process/docker-1/late/0", "address already in use");
  expect(events.totals().failedStarts).toEqual([
    { object: "client/host/early", atNs: 0, error: "it has no address now" },
    { object: "process/docker-1/late/0", atNs: 2, error: "address already in use" },
  ]);
});
