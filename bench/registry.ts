/**
 * All benchmarks, one line each. To add one: a file that exports a Benchmark, and a line here.
 */
import type { Benchmark } from "./harness.ts";
import { hold } from "./engine/hold.ts";
import { mm1Customers } from "./engine/mm1-customers.ts";
import { mm1Events } from "./engine/mm1-events.ts";
import { mm1Processes } from "./engine/mm1-processes.ts";
import { clusterBuild, hugeBuild, hugeReset } from "./model/cluster-build.ts";
import { endpointChanges } from "./model/changes.ts";
import { importDump } from "./model/import.ts";
import { proxyBuild, proxyChange } from "./model/proxy-scale.ts";
import { requestsKeepAlive, requestsNewConnection } from "./model/requests.ts";
import { rollout } from "./model/rollout.ts";
import { shop } from "./model/shop.ts";
import { resetStorm } from "./model/storm.ts";

export const benchmarks: readonly Benchmark[] = [
  hold(1e2),
  hold(1e4),
  hold(1e6),
  mm1Events,
  mm1Processes,
  mm1Customers,
  requestsKeepAlive,
  requestsNewConnection,
  endpointChanges,
  proxyBuild,
  clusterBuild,
  hugeBuild,
  hugeReset,
  importDump,
  proxyChange("iptables", 10),
  proxyChange("iptables", 10_000),
  proxyChange("nftables", 10),
  proxyChange("nftables", 10_000),
  proxyChange("ipvs", 10),
  proxyChange("ipvs", 10_000),
  proxyChange("ebpf", 10),
  proxyChange("ebpf", 10_000),
  proxyChange("iptables", 1000, 10),
  proxyChange("iptables", 1000, 100),
  proxyChange("iptables", 1000, 1000),
  proxyChange("iptables", 1000, 5000),
  rollout,
  resetStorm,
  shop,
];
