/**
 * What a run leaves out, as manifest.json and docs/not-modelled.md tell every reader of results.
 *
 * Owns: the list, one sentence each, with what it means for the figures. The files that could be
 * mistaken for modelling such a thing say so at their head as well.
 */
export const notModelled: readonly string[] = [
  "Losses and corruption on the wire: packets are lost only in full queues, to missing routes, and with the hosts they pass.",
  "TCP congestion control and segmentation: a message crosses a hop as trains of at most 64 KiB, each charged for its packets and headers.",
  "Most pure ACKs, receive windows, fast retransmit and reordering: a lost packet is sent again when its timer would have fired.",
  "TLS: connections are plain TCP.",
  "IPv6 without IPv4: a cluster has IPv4, or both.",
  "Node failures: nodes, kubelets, kube-proxies and the API server neither crash nor stall.",
  "IPVS' own time-outs and its schedulers lblc and lblcr; eBPF mode's direct server return, XDP, and datagrams of sockets that are not connected.",
  "DNS: clients know the addresses they call.",
  "NetworkPolicy, Ingress and service meshes.",
  "The making of cloud load balancers: they are there from the start, without zones and limits of their own.",
  "Rolling updates between templates, StatefulSets, DaemonSets, Jobs and autoscaling: Deployments and ReplicaSets keep their number of pods.",
  "Preemption, affinity and taints: the scheduler filters by room and node selector and spreads.",
  "Load on the API server: a write costs the same however many are under way; admission, quotas and etcd's limits are absent.",
  "CPU contention between pods of a node: a server's service time does not depend on its neighbours.",
  "CPU quota, memory limits and warm-up of servers; calls from one service to another.",
  "Image pulls, init containers, and hooks other than a preStop sleep: images are present on every node.",
];
