/** The scenarios that come with podstorm load, and say what they ask. */
import { expect, test } from "vitest";
import { leadingComment, listScenarios } from "../../src/scenario/list.ts";
import { loadScenario } from "../../src/scenario/load.ts";

test("every shipped scenario loads without a mistake and opens with its question", async () => {
  const listed = listScenarios("scenarios");
  expect(listed.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["burst", "hello", "quiet", "reset-storm"]),
  );
  for (const { file, name, question } of listed) {
    expect(question, name).toContain("?");
    expect(await loadScenario(file)).toMatchObject({ name, description: question });
  }
});

test("reset-storm is as its comment says: 12 pods, a third of them, three times", async () => {
  const { cluster, faults, ignored } = await loadScenario("scenarios/reset-storm.ts");
  expect(cluster.deployments[0]?.spec.replicas).toBe(12);
  expect(faults).toMatchObject([{ amount: { kind: "fraction", fraction: 1 / 3 }, times: 3 }]);
  expect(cluster.services.map(({ spec }) => spec.ports[0]?.nodePort)).toEqual([null, 31_000]);
  expect(ignored.map(({ object }) => object)).toEqual(["ConfigMap nginx-conf"]);
});

test("a folder that is not there holds no scenario", () => {
  expect(listScenarios("no-such-folder")).toEqual([]);
});

test("the comment at the head of a file loses its marks and line breaks", () => {
  expect(leadingComment("/**\n * What if?\n * Then what?\n */\nx;")).toBe("What if? Then what?");
  expect(leadingComment("// One\n// two?\nx;")).toBe("One two?");
  expect(leadingComment("x; // no")).toBe("");
});
