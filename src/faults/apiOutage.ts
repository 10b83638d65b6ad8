/** The API server, or etcd behind it, answers nobody for a while: traffic goes on, changes wait. */
import type { FaultScheduler } from "./contract.ts";
import { during, type Span } from "./span.ts";

export interface ApiOutageSpec extends Span {
  readonly kind: "apiOutage";
  /**
   * server: it stands still; connections die in time and watches with them. process: it is gone; connections are reset and
   * refused. etcd: watches stay and writes wait.
   */
  readonly what: "server" | "process" | "etcd";
}

export const apiOutage: FaultScheduler<ApiOutageSpec> = (spec, context) => {
  const { overlaps, apiServer } = context;
  const { kind, what } = spec;
  const object = what === "etcd" ? "etcd/etcd" : "apiserver/kube-apiserver";
  during(context, spec, { kind, object }, () =>
    overlaps.hold(
      `outage/${what}`,
      () => apiServer.pause(what),
      () => apiServer.resume(what),
    ),
  );
};
