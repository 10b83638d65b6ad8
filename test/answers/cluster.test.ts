/**
 * What a question is about: found in manifests, or a mistake that says what there is.
 *
 * Seen to fail: with isBehind() not looking at namespaces, with the Service of another Deployment taken, and without
 * the second reading of a cluster whose front door is no Deployment.
 */
import { describe, expect, it } from "vitest";
import { clusterOf } from "../../src/answers/cluster.ts";
import { UserError } from "../../src/scenario/index.ts";
import { deployment, withManifest } from "./asked.ts";

const shop = [
  deployment("front"),
  deployment("cart", { namespace: "shop", replicas: 7 }),
  deployment("worker", { service: false }),
].join("");

/** The mistakes in asking about `deploy`. */
function refused(text: string, deploy: string): Promise<string> {
  return withManifest(text, (file) => {
    try {
      clusterOf({ filename: [file], deploy }, 0);
      return "none";
    } catch (error) {
      if (error instanceof UserError) return error.message;
      throw error;
    }
  });
}

const targetOf = (text: string, deploy?: string) =>
  withManifest(text, (file) => clusterOf({ filename: [file], deploy }, 0).subject.target);

describe("the Deployment that is asked about", () => {
  it("is the one that requests come to first, if nobody says", async () => {
    expect(await targetOf(shop)).toMatchObject({
      workload: "deploy/front",
      service: "svc/front:80",
    });
  });

  it("may be named with or without its namespace", async () => {
    const cart = {
      workload: "shop/deploy/cart",
      service: "shop/svc/cart:80",
      serviceKey: "shop/cart",
      replicas: 7,
    };
    expect(await targetOf(shop, "cart")).toMatchObject(cart);
    expect(await targetOf(shop, "shop/cart")).toMatchObject(cart);
  });

  it("is the first that can be called, where a StatefulSet stands in front", async () => {
    const set = deployment("web").replaceAll("Deployment", "StatefulSet");
    expect(await targetOf(set + deployment("later"))).toMatchObject({
      workload: "deploy/later",
      service: "svc/later:80",
    });
  });

  it.each([
    [
      "frnot",
      "--deploy frnot: no such Deployment in what was read; allowed: one of front, shop/cart, worker (did you mean front?)",
    ],
    [
      "worker",
      "--deploy worker: no Service with a TCP port and an address of its own selects its pods; allowed: one of front, shop/cart",
    ],
  ])("%s is refused", async (deploy, message) => {
    expect(await refused(shop, deploy)).toBe(message);
  });

  it("has to be one: of a name in two namespaces both are told", async () => {
    const both = deployment("web") + deployment("web", { namespace: "prod" });
    expect(await refused(both, "web")).toBe(
      "--deploy web: 2 Deployments of that name; allowed: one of default/web, prod/web",
    );
    expect(await targetOf(both, "prod/web")).toMatchObject({ workload: "prod/deploy/web" });
  });

  it("has its Service in its own namespace", async () => {
    const other = deployment("web") + deployment("web", { namespace: "prod", service: false });
    expect(await refused(other, "prod/web")).toMatch(/selects its pods; allowed: one of web$/);
  });

  it("has to be there at all", async () => {
    const service = deployment("web").slice(deployment("web").lastIndexOf("---"));
    expect(await refused(service, "web")).toMatch(/^-f: no Deployment with a Service/);
    expect(await refused(deployment("web", { service: false }), "web")).toMatch(
      /a Deployment with a Service$/,
    );
  });

  it("is the built-in one without manifests, and that is said", () => {
    const { source, subject } = clusterOf({}, 0);
    expect(source).toBe("the built-in cluster: 4 nodes, 8 pods of deploy/web behind svc/web:80");
    expect(subject.target).toMatchObject({ workload: "deploy/web", replicas: 8, nodes: 4 });
    const nine = clusterOf({ nodes: 9 }, 0);
    expect(nine.subject.target.nodes).toBe(9);
    expect(nine.source).toMatch(/^the built-in cluster: 9 nodes, 8 pods/);
  });
});
