/**
 * The cluster's DNS as manifests: what kubeadm applies, as far as the model reads it.
 *
 * Owns: the Service and Deployment of CoreDNS, and the Service that a node's cache asks. Refuses to own:
 * what its pods do (workload/dns).
 */
import { Address4 } from "ip-address";
import { parsePrefix } from "../../network/address.ts";

export const DNS_SERVICE = "kube-system/kube-dns";
export const DNS_UPSTREAM_SERVICE = "kube-system/kube-dns-upstream";
export const DNS_WORKLOAD = "kube-system/coredns";

/** kubeadm: the tenth address of the first service CIDR. */
export function dnsAddress(serviceCIDR: string): string {
  const { first } = parsePrefix(serviceCIDR.split(",")[0]!);
  return Address4.fromBigInt(first + 10n).correctForm();
}

/** Kubernetes: cmd/kubeadm/app/phases/addons/dns/manifests.go. */
export function coreDnsManifest(replicas: number, address: string, nodeLocal: boolean): string {
  const ports = `  ports:
    - { name: dns, port: 53, protocol: UDP, targetPort: 53 }
    - { name: dns-tcp, port: 53, protocol: TCP, targetPort: 53 }
`;
  const upstream = `---
apiVersion: v1
kind: Service
metadata: { name: kube-dns-upstream, namespace: kube-system }
spec:
  selector: { k8s-app: kube-dns }
${ports}`;
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: coredns, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { k8s-app: kube-dns } }
  template:
    metadata: { labels: { k8s-app: kube-dns } }
    spec:
      containers:
        - name: coredns
          image: registry.k8s.io/coredns/coredns
          resources: { requests: { cpu: 100m, memory: 70Mi } }
          ports:
            - { name: dns, containerPort: 53, protocol: UDP }
            - { name: dns-tcp, containerPort: 53, protocol: TCP }
          livenessProbe:
            httpGet: { path: /health, port: 8080 }
            initialDelaySeconds: 60
            timeoutSeconds: 5
            failureThreshold: 5
          readinessProbe:
            httpGet: { path: /ready, port: 8181 }
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIP: ${address}
  selector: { k8s-app: kube-dns }
${ports}${nodeLocal ? upstream : ""}`;
}
