/**
 * What a run leaves out, as manifest.json tells every reader of results.
 *
 * Owns: the list, one sentence each, with what it means for the figures. The files that could be
 * mistaken for modelling such a thing say so at their head as well.
 */
export const notModelled: readonly string[] = [
  "Losses and corruption on the wire: packets are lost only in full queues, to missing routes, and with the hosts they pass.",
  "TCP congestion control and segmentation: a message crosses a hop as trains of at most 64 KiB, each charged for its packets and headers.",
  "Node failures: nodes, kubelets, kube-proxies and the API server neither crash nor stall.",
  "kube-proxy modes other than iptables; external and internal traffic policies, topology hints and session affinity.",
  "DNS: clients know the addresses they call.",
  "NetworkPolicy, Ingress, service meshes and cloud load balancers.",
  "CPU contention between pods of a node: a server's service time does not depend on its neighbours.",
  "Image pulls: images are present on every node.",
  "TLS: connections are plain TCP.",
  "IPv6 and dual stack.",
];
