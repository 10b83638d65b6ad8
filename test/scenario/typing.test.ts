/** What an editor refuses before a scenario is ever run: tsc checks each line marked as an error. */
import { expect, test } from "vitest";
import { burst, defineScenario, openLoop, pods, resetPods, type Duration } from "podstorm";

test("the types accept what Kubernetes writes and refuse what it does not", () => {
  const fine: Duration[] = ["250ms", "30s", "1m30s", "1.5h", "1h30m", "0"];
  // @ts-expect-error: no such unit
  const unit: Duration = "20sec";
  // @ts-expect-error: a number has no unit
  const bare: Duration = 20;
  expect([...fine, unit, bare]).toHaveLength(8);
});

test("the types know every field and word", () => {
  const scenario = defineScenario({
    duration: "10s",
    cluster: { nodes: 1 },
    clients: [{ name: "c", from: pods(2), to: "svc/web", load: openLoop(200) }],
    // @ts-expect-error: no such field
    client: [],
  });
  // @ts-expect-error: peak is missing
  const rate = burst({ base: 1, at: "1s", for: "1s" });
  // @ts-expect-error: no such way to reset a pod
  const fault = resetPods({ selector: "app=web", count: 1, at: "1s", how: "explode" });
  expect([scenario, rate, fault]).toHaveLength(3);
});

test("values of -e stand wherever a value is wanted", () => {
  const scenario = defineScenario(({ env }) => ({
    duration: env.DURATION ?? "10s",
    cluster: { nodes: Number(env.NODES ?? 3) },
  }));
  const written = typeof scenario === "function" ? scenario({ env: { NODES: "5" } }) : scenario;
  expect(written).toEqual({ duration: "10s", cluster: { nodes: 5 } });
});
