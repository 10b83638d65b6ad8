/**
 * What a run leaves out, as manifest.json and docs/not-modelled.md tell every reader of results.
 *
 * Owns: the list, one sentence each, with what it means for the figures. The files that could be
 * mistaken for modelling such a thing say so at their head as well.
 */
export const notModelled: readonly string[] = [
  "Corruption on the wire, and losses and another order unless netem or partition asks for them: packets are otherwise lost only in full queues, for want of a route or a neighbour, by conntrack, by rules that drop them, and with the hosts they pass.",
  "TCP congestion control and segmentation: a message crosses a hop as trains of at most 64 KiB, each charged for its packets and headers.",
  "Most pure ACKs, receive windows, fast retransmit and what TCP makes of packets in another order: a lost packet is sent again when its timer would have fired.",
  "Packets from several sources that reach a hop within 8 us of each other may pass it in the order in which they were sent, not in that of their arrival.",
  "States of neighbour entries: an address is known while its interface is there and unknown at once when it is gone; no entry is stale or probed.",
  "Distance between zones: a node of another zone is as near as one of the same.",
  "TLS: clients speak plain TCP or UDP.",
  "IPv6 without IPv4: a cluster has IPv4, or both.",
  "Failures that nobody asks for: what breaks is what a fault breaks. The time that a kube-proxy or a machine takes to start is part of the fault.",
  "Syncs of kube-proxy that fail by themselves or in part: one fails as a whole, where failSync asks for it, in any mode.",
  "nftables mode's stale chains: those of endpoints that have gone are deleted with the change, without the transaction of their own a moment later.",
  "The lock of /run/xtables.lock, for which the two families of a kube-proxy wait where iptables is the legacy one.",
  "IPVS' own time-out of UDP flows and its schedulers lblc and lblcr; eBPF mode's direct server return, XDP, and datagrams of sockets that are not connected: no client has one, for the resolver is glibc's, which connects its socket (musl's does not).",
  "DNS beyond lookups: several name servers, and records of other types than A, AAAA, CNAME, SRV and PTR. Only clients with a name look it up.",
  "Docker hosts: user-defined networks, Compose, Swarm and their DNS, and health checks are absent; pods have no way to them.",
  "Host ports: the chains of CNI's portmap cost no time and the commands rules and trace do not show them; eBPF mode has no host ports of its own.",
  "NetworkPolicy, Ingress and service meshes.",
  "The making of cloud load balancers: they are there from the start, without zones and limits of their own.",
  "Time zones of CronJobs; autoscaling by anything but CPU utilisation; indexed Jobs, their deadlines and failure policies; volumes of StatefulSets.",
  "Scheduling by volumes, images, several profiles and gates; disk and PID pressure of nodes.",
  "Admission, quotas and etcd's own limits; several API servers.",
  "Reads of the API: components know what their watches have told them. A kubelet's status write is one request, where upstream's reads the pod before it patches: 50 statuses a second and node at most instead of 25.",
  "CPU contention between pods of a node: a server's service time does not depend on its neighbours.",
  "The CPU time of a start-up; what a server does with a request beyond its own work and then its calls.",
  "What commands in containers do, as probes, hooks or init containers: they cost CPU time, sleep as long as they say, and exit 0.",
  "Image layers that are shared, and image garbage collection.",
  "Eviction for want of disk or process ids, soft thresholds, and the kernel's out-of-memory killer of a whole node.",
  "A kubelet's dynamic resources, static pods, in-place resizing and restart rules by exit code.",
];
