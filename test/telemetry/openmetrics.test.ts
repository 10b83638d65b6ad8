/**
 * `--metrics`: the run as a Prometheus would have scraped it, read by others' parsers.
 *
 * Seen to fail: with the bound "1" instead of "1.0", without "# EOF", with buckets that do not add up, with `full` and `partial`
 * exchanged, with a sample twice at one scrape, with a metric of the dashboard misspelt and with a label that it has not.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { MetricsCollector } from "../../src/telemetry/openmetrics/collector.ts";
import { families, sampleNames, type Family } from "../../src/telemetry/openmetrics/families.ts";
import { openMetricsText } from "../../src/telemetry/openmetrics/text.ts";
import { instrumentsOf } from "../../src/telemetry/index.ts";
import { UserError } from "../../src/scenario/mistakes.ts";
import { endNs, play } from "../observe/synthetic.ts";
import { output, pythonWith, tool } from "./tools.ts";
import { storm, textOf, watched } from "./watched.ts";

const python = pythonWith("prometheus_client");
const promtool = tool(["promtool"], ["--version"], "promtool");

const options = { scenario: "made", seed: "1", kubernetes: "1.36", mode: "iptables" } as const;

/** The synthetic run, scraped each second. */
function synthetic(mode: "iptables" | "nftables" | "ipvs" | "ebpf" = "iptables"): string {
  const collector = new MetricsCollector({ ...options, mode, everyNs: seconds(1) });
  play(collector.observers);
  // A later sync of node-1 holds the change still.
  collector.endpointProgrammed(0, "node-1", endNs);
  collector.finish(endNs);
  return [...openMetricsText(collector.registry)].join("");
}

function linesOf(text: string, pattern: RegExp): string[] {
  return text.split("\n").filter((line) => pattern.test(line) && !line.startsWith("#"));
}

describe("of a run made by hand", () => {
  const text = synthetic();

  it("has kube-proxy's histogram as kube-proxy has it: cumulative, by its own bounds", () => {
    const pattern = /^kubeproxy_network_programming_duration_seconds.* 2$/;
    const lines = linesOf(text, pattern);
    // 80 bounds, the infinite one, count and sum. The one sample is exactly 0.25 s.
    expect(lines).toHaveLength(83);
    expect(lines[0]).toBe(
      'kubeproxy_network_programming_duration_seconds_bucket{node="node-1",ip_family="IPv4",le="0.25"} 1 2',
    );
    expect(
      lines.filter((line) => /le="(0\.5|1\.0|59\.0|60\.0|115\.0|300\.0|\+Inf)"\} 1 2$/.test(line)),
    ).toHaveLength(7);
    expect(lines.slice(-2)).toEqual([
      'kubeproxy_network_programming_duration_seconds_count{node="node-1",ip_family="IPv4"} 1 2',
      'kubeproxy_network_programming_duration_seconds_sum{node="node-1",ip_family="IPv4"} 0.25 2',
    ]);
  });

  it("tells full syncs, partial ones and those that failed apart", () => {
    const labels = '{node="node-1",ip_family="IPv4"}';
    expect(linesOf(text, /node-1.* 1$/)).toEqual(
      expect.arrayContaining([
        `kubeproxy_sync_proxy_rules_duration_seconds_count${labels} 3 1`,
        `kubeproxy_sync_proxy_rules_duration_seconds_sum${labels} 0.2 1`,
        `kubeproxy_sync_full_proxy_rules_duration_seconds_count${labels} 1 1`,
        `kubeproxy_sync_partial_proxy_rules_duration_seconds_count${labels} 2 1`,
        `kubeproxy_sync_proxy_rules_iptables_restore_failures_total${labels} 1 1`,
        // The third sync failed: the second is the last that counts.
        `kubeproxy_sync_proxy_rules_last_timestamp_seconds${labels} 0.8 1`,
      ]),
    );
  });

  it("gives each mode the metrics that it has", () => {
    expect(synthetic("nftables")).toContain("sync_proxy_rules_nftables_sync_failures_total{");
    expect(synthetic("nftables")).not.toContain("iptables_restore");
    expect(synthetic("ipvs")).toContain("kubeproxy_sync_proxy_rules_duration_seconds_count");
    expect(synthetic("ipvs")).not.toContain("partial_proxy_rules");
    expect(synthetic("ebpf")).not.toContain("kubeproxy_");
  });

  it("counts requests, by outcome and by endpoint, at each scrape", () => {
    const pair = 'client="web",service="default/nginx"';
    expect(linesOf(text, /^podstorm_requests|_in_flight/)).toEqual([
      `podstorm_requests_started_total{${pair}} 7 1`,
      `podstorm_requests_started_total{${pair}} 8 2`,
      `podstorm_requests_total{${pair},outcome="served"} 6 1`,
      `podstorm_requests_total{${pair},outcome="served"} 6 2`,
      `podstorm_requests_total{${pair},outcome="refused"} 1 1`,
      `podstorm_requests_total{${pair},outcome="refused"} 1 2`,
      `podstorm_requests_stale_routed_total{${pair}} 1 1`,
      `podstorm_requests_stale_routed_total{${pair}} 1 2`,
      ...["a,node-1,10.244.1.2,0", "b,node-2,10.244.2.2,0", "c,node-1,10.244.1.3,1"].flatMap(
        (each) => {
          const [pod, node, ip, inFlight] = each.split(",");
          const name = `podstorm_endpoint_requests_in_flight{service="default/nginx",endpoint="${ip}:80",pod="default/nginx-${pod}",node="${node}"}`;
          // c is there in the second window only.
          return (pod === "c" ? [2] : [1, 2]).map((at) => `${name} ${inFlight} ${at}`);
        },
      ),
    ]);
  });

  it("takes the first report of a node for the lag of a change", () => {
    const counts = linesOf(text, /update_lag_seconds_count.* 2$/);
    expect(counts).toEqual([
      'podstorm_endpoint_update_lag_seconds_count{node="node-1",change="condition"} 1 2',
      'podstorm_endpoint_update_lag_seconds_count{node="node-1",change="removed"} 1 2',
      'podstorm_endpoint_update_lag_seconds_count{node="node-1",change="added"} 1 2',
      'podstorm_endpoint_update_lag_seconds_count{node="node-2",change="removed"} 1 2',
    ]);
  });
});

describe("of a storm", () => {
  let text = "";
  let told: ReturnType<typeof watched>;
  beforeAll(async () => {
    const scenario = await storm();
    const [instrument] = instrumentsOf(
      { metrics: "out.prom", metricsEvery: "2500ms" },
      scenario,
      "1.2.3",
    );
    told = watched(scenario, [instrument!]);
    text = textOf(instrument!);
    // Without any instrument: the same events.
    expect(watched(scenario, []).end.eventFingerprint).toBe(told.end.eventFingerprint);
  });

  it("is scraped at the end of the window in which a scrape is due, and at the end", () => {
    const times = linesOf(text, /^podstorm_run_info/).map((line) => line.split(" ").at(-1));
    expect(times).toEqual(["3", "5", "6"]);
  });

  it("says what the run's own files say", () => {
    const last = linesOf(text, / 6$/).map((line) => line.split(" "));
    const sum = (pattern: RegExp): number =>
      last.reduce((all, [name, value]) => all + (pattern.test(name!) ? Number(value) : 0), 0);
    const { clients, kubeProxy, lag, stale, drops } = told.recording.totals(told.context);
    const counted = clients.flatMap(({ byOutcome }) => byOutcome);
    const ended = counted.reduce((all, { count }) => all + count, 0);
    expect(sum(/^podstorm_requests_total/)).toBe(ended);
    expect(sum(/^podstorm_requests_total.*refused/)).toBe(
      counted.reduce((all, { outcome, count }) => all + (outcome === "refused" ? count : 0), 0),
    );
    expect(sum(/^kubeproxy_sync_proxy_rules_duration_seconds_count/)).toBe(kubeProxy.syncs);
    expect(sum(/^kubeproxy_sync_full_proxy_rules_duration_seconds_count/)).toBe(
      kubeProxy.fullSyncs,
    );
    expect(sum(/^podstorm_endpoint_update_lag_seconds_count/)).toBe(
      lag.byKind.reduce((all, { programmed }) => all + programmed, 0),
    );
    expect(sum(/^podstorm_connections_stale_routed_total/)).toBe(stale.staleConnections);
    expect(stale.staleConnections).toBeGreaterThan(0);
    expect(sum(/^podstorm_packets_dropped_total/)).toBe(
      drops.reduce((all, { packets }) => all + packets, 0),
    );
    const nic = told.end.hops.find(({ hop }) => hop === "node-1/eth0")!;
    expect(sum(/^node_network_transmit_packets_total\{node="node-1"/)).toBe(nic.packets);
    const conntrack = told.end.conntracks.find(({ node }) => node === "node-1")!;
    expect(sum(/^node_nf_conntrack_entries\{node="node-1"/)).toBe(conntrack.entries);
  });

  // prometheus_client takes samples of a later scrape for repeated ones of an earlier (the set of those that it has seen
  // outlives their time), so it is given each scrape for itself, as it would come over HTTP.
  it.skipIf(python === null)("is read by Prometheus' own parser for Python", () => {
    const script = `
import sys, json
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
lines = sys.stdin.read().splitlines(keepends=True)
times = sorted({line.split()[-1] for line in lines if not line.startswith("#")}, key=float)
found = []
for time in times:
    kept = [l for l in lines if l.startswith("#") or l.split()[-1] == time]
    # Metadata without samples is no mistake in the format, and none here.
    found.append([[f.name, f.type, f.unit, f.documentation, len(f.samples)] for f in parse("".join(kept))])
print(json.dumps(found))`;
    type Parsed = [name: string, type: string, unit: string, help: string, samples: number][];
    const scrapes = JSON.parse(output(python!, ["-c", script], text)) as Parsed[];
    expect(scrapes).toHaveLength(3);
    const byName = new Map<string, Family>(
      Object.values(families).map((each) => [each.name, each]),
    );
    for (const [name, type, unit, help] of scrapes.at(-1)!) {
      const family = byName.get(name)!;
      expect([type, unit, help]).toEqual([family.type, family.unit ?? "", family.help]);
    }
    const samples = scrapes.at(-1)!.reduce((all, each) => all + each[4], 0);
    expect(samples).toBe(linesOf(text, / 6$/).length);
  });

  it.skipIf(promtool === null)("becomes blocks of a Prometheus", () => {
    const folder = mkdtempSync(join(tmpdir(), "podstorm-prom-"));
    try {
      writeFileSync(join(folder, "out.prom"), text);
      const words = ["tsdb", "create-blocks-from", "openmetrics", join(folder, "out.prom"), folder];
      const told = output(promtool!, words);
      const samples = Number(told.split("\n")[1]!.split(/\s+/).at(-4));
      expect(samples).toBe(linesOf(text, /./).length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the dashboard", () => {
  const dashboard = JSON.parse(readFileSync("docs/grafana/podstorm.json", "utf8")) as {
    readonly panels: readonly {
      readonly title: string;
      readonly targets?: { readonly expr: string }[];
    }[];
  };
  const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const all: readonly Family[] = Object.values(families);
  const bySample = new Map(all.flatMap((each) => sampleNames(each).map((name) => [name, each])));

  it("asks for metrics that there are, by labels that they have", () => {
    const wrong = queries.flatMap((query) => {
      const names = query.match(/\b(?:podstorm|kubeproxy|node)_\w+/g) ?? [];
      const labels = new Set([
        ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/)),
        ...[...query.matchAll(/(\w+)\s*(?:=~|!=|=)\s*"/g)].map(([, label]) => label!),
      ]);
      const own = names.flatMap((name) => bySample.get(name)?.labels ?? []);
      const allowed = new Set([...own, "le"]);
      return [
        ...names.filter((name) => !bySample.has(name)),
        ...[...labels].filter((label) => !allowed.has(label)),
      ].map((each) => `${each} in ${query}`);
    });
    expect(wrong).toEqual([]);
    expect(queries.length).toBeGreaterThan(20);
  });

  it("asks for quantiles with the buckets, and for rates of what only grows", () => {
    for (const query of queries) {
      for (const [, name] of query.matchAll(/rate\((\w+)/g)) {
        expect(["counter", "histogram"]).toContain(bySample.get(name!)!.type);
      }
      if (query.includes("histogram_quantile"))
        expect(query).toMatch(/_bucket\b.*by \(le|by \(le.*_bucket/);
    }
  });
});

describe("its options", () => {
  it("are refused together", async () => {
    const scenario = await storm();
    const mistakes = (given: Parameters<typeof instrumentsOf>[0]): string => {
      try {
        instrumentsOf(given, scenario, "1.2.3");
      } catch (error) {
        if (error instanceof UserError) return error.message;
        throw error;
      }
      return "";
    };
    expect(mistakes({ metrics: "a", metricsEvery: "5" })).toContain("the unit is missing");
    expect(mistakes({ metrics: "a", metricsEvery: "0s" })).toContain("it has to be longer");
    expect(mistakes({ metricsEvery: "5s" })).toContain("there is no --metrics");
  });
});
