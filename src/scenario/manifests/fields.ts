/**
 * The names of Kubernetes' fields, for the objects that the simulator reads.
 *
 * Owns: which field names exist (Kubernetes 1.36 API reference), so that a misspelt one is found and a
 * valid one that has no effect here is accepted. Refuses to own: what any field means.
 */
import { nearest, type FileMistakes, type Path } from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";

/** `true`: whatever is in there is not checked. A list's items are checked by the same tree. */
export interface FieldTree {
  readonly [field: string]: true | FieldTree;
}

function names(text: string): Record<string, true> {
  return Object.fromEntries(text.split(/\s+/).map((name) => [name, true] as const));
}

const metadata: FieldTree = names(
  `name generateName namespace labels annotations uid resourceVersion generation creationTimestamp
   deletionTimestamp deletionGracePeriodSeconds ownerReferences finalizers managedFields selfLink`,
);

const selector: FieldTree = {
  matchLabels: true,
  matchExpressions: names("key operator values"),
};

const handlers: FieldTree = {
  exec: names("command"),
  httpGet: names("host httpHeaders path port scheme"),
  tcpSocket: names("host port"),
};

const probe: FieldTree = {
  ...handlers,
  grpc: names("port service"),
  ...names(
    `initialDelaySeconds periodSeconds timeoutSeconds successThreshold failureThreshold
     terminationGracePeriodSeconds`,
  ),
};

const lifecycleHandler: FieldTree = { ...handlers, sleep: names("seconds") };

const container: FieldTree = {
  ...names(
    `name image imagePullPolicy command args workingDir env envFrom volumeMounts volumeDevices
     securityContext stdin stdinOnce tty terminationMessagePath terminationMessagePolicy
     restartPolicy restartPolicyRules resizePolicy targetContainerName`,
  ),
  ports: names("name containerPort hostPort hostIP protocol"),
  resources: names("requests limits claims"),
  lifecycle: { postStart: lifecycleHandler, preStop: lifecycleHandler, stopSignal: true },
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe,
};

const podAffinityTerm: FieldTree = {
  ...names("namespaces topologyKey matchLabelKeys mismatchLabelKeys"),
  labelSelector: selector,
  namespaceSelector: selector,
};

const podAffinity: FieldTree = {
  requiredDuringSchedulingIgnoredDuringExecution: podAffinityTerm,
  preferredDuringSchedulingIgnoredDuringExecution: { weight: true, podAffinityTerm },
};

const nodeTerm: FieldTree = {
  matchExpressions: names("key operator values"),
  matchFields: names("key operator values"),
};

const affinity: FieldTree = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: nodeTerm },
    preferredDuringSchedulingIgnoredDuringExecution: { weight: true, preference: nodeTerm },
  },
  podAffinity,
  podAntiAffinity: podAffinity,
};

const podSpec: FieldTree = {
  ...names(
    `activeDeadlineSeconds automountServiceAccountToken dnsConfig dnsPolicy
     enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers
     hostname hostnameOverride imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy
     priority priorityClassName readinessGates resourceClaims resources restartPolicy
     runtimeClassName schedulerName schedulingGates securityContext serviceAccount
     serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain
     terminationGracePeriodSeconds volumes workloadRef`,
  ),
  tolerations: names("key operator value effect tolerationSeconds"),
  affinity,
  topologySpreadConstraints: {
    ...names(
      `maxSkew topologyKey whenUnsatisfiable minDomains nodeAffinityPolicy nodeTaintsPolicy
       matchLabelKeys`,
    ),
    labelSelector: selector,
  },
  containers: container,
  initContainers: container,
};

const scalingRules: FieldTree = {
  ...names("selectPolicy stabilizationWindowSeconds tolerance"),
  policies: names("type value periodSeconds"),
};

const template: FieldTree = { metadata, spec: podSpec };
const object: FieldTree = { ...names("apiVersion kind status"), metadata };

const jobSpec: FieldTree = {
  ...names(
    `activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy
         manualSelector maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy selector
         successPolicy suspend ttlSecondsAfterFinished`,
  ),
  template,
};

/** KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1. */
export const kubeProxyFields: FieldTree = {
  ...names(
    `apiVersion kind metadata bindAddress bindAddressHardFail clientConnection clusterCIDR
     configSyncPeriod detectLocal detectLocalMode enableProfiling featureGates healthzBindAddress
     hostnameOverride logging metricsBindAddress mode nodePortAddresses oomScoreAdj portRange
     showHiddenMetricsForVersion windowsRunAsService winkernel`,
  ),
  conntrack: names(
    `maxPerCore min tcpBeLiberal tcpCloseWaitTimeout tcpEstablishedTimeout udpStreamTimeout
     udpTimeout`,
  ),
  iptables: names("localhostNodePorts masqueradeAll masqueradeBit minSyncPeriod syncPeriod"),
  ipvs: names(
    `excludeCIDRs minSyncPeriod scheduler strictARP syncPeriod tcpFinTimeout tcpTimeout udpTimeout`,
  ),
  nftables: names("masqueradeAll masqueradeBit minSyncPeriod syncPeriod"),
};

export const fieldsByKind: Readonly<Record<string, FieldTree>> = {
  Deployment: {
    ...object,
    spec: {
      ...names("replicas minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds"),
      selector,
      template,
      strategy: { type: true, rollingUpdate: names("maxSurge maxUnavailable") },
    },
  },
  ReplicaSet: { ...object, spec: { ...names("replicas minReadySeconds"), selector, template } },
  ReplicationController: {
    ...object,
    spec: { ...names("replicas minReadySeconds selector"), template },
  },
  StatefulSet: {
    ...object,
    spec: {
      ...names(
        `replicas minReadySeconds podManagementPolicy revisionHistoryLimit serviceName ordinals
         persistentVolumeClaimRetentionPolicy volumeClaimTemplates`,
      ),
      selector,
      template,
      updateStrategy: { type: true, rollingUpdate: names("partition maxUnavailable") },
    },
  },
  DaemonSet: {
    ...object,
    spec: {
      ...names("minReadySeconds revisionHistoryLimit"),
      selector,
      template,
      updateStrategy: { type: true, rollingUpdate: names("maxSurge maxUnavailable") },
    },
  },
  Job: { ...object, spec: jobSpec },
  CronJob: {
    ...object,
    spec: {
      ...names(
        `concurrencyPolicy failedJobsHistoryLimit schedule startingDeadlineSeconds
         successfulJobsHistoryLimit suspend timeZone`,
      ),
      jobTemplate: { metadata, spec: jobSpec },
    },
  },
  PodDisruptionBudget: {
    ...object,
    spec: { ...names("maxUnavailable minAvailable unhealthyPodEvictionPolicy"), selector },
  },
  HorizontalPodAutoscaler: {
    ...object,
    spec: {
      ...names("minReplicas maxReplicas metrics targetCPUUtilizationPercentage"),
      scaleTargetRef: names("apiVersion kind name"),
      behavior: { scaleUp: scalingRules, scaleDown: scalingRules },
    },
  },
  Pod: { ...object, spec: podSpec },
  Service: {
    ...object,
    spec: {
      ...names(
        `allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName
         externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy
         loadBalancerClass loadBalancerIP loadBalancerSourceRanges publishNotReadyAddresses selector
         sessionAffinity trafficDistribution type`,
      ),
      ports: names("name protocol port targetPort nodePort appProtocol"),
      sessionAffinityConfig: { clientIP: names("timeoutSeconds") },
    },
  },
  EndpointSlice: {
    ...names("apiVersion kind addressType"),
    metadata,
    endpoints: {
      ...names("addresses hostname nodeName zone targetRef deprecatedTopology"),
      conditions: names("ready serving terminating"),
      hints: { forZones: names("name"), forNodes: names("name") },
    },
    ports: names("name protocol port appProtocol"),
  },
  Endpoints: {
    ...names("apiVersion kind"),
    metadata,
    subsets: {
      addresses: names("ip hostname nodeName targetRef"),
      notReadyAddresses: names("ip hostname nodeName targetRef"),
      ports: names("name protocol port appProtocol"),
    },
  },
  Node: {
    ...object,
    spec: {
      ...names("podCIDR podCIDRs providerID unschedulable configSource externalID"),
      taints: names("key value effect timeAdded"),
    },
  },
  PriorityClass: {
    ...names("apiVersion kind value globalDefault description preemptionPolicy"),
    metadata,
  },
  ConfigMap: { ...object, ...names("data binaryData immutable") },
  KubeProxyConfiguration: kubeProxyFields,
  Namespace: { ...object, spec: names("finalizers") },
};

/**
 * Reports fields that Kubernetes does not know: as a mistake when a known name is near, as kubectl's
 * strict validation does, and otherwise through `unknown`, since a newer Kubernetes may know it.
 */
export function checkFieldNames(
  value: unknown,
  tree: FieldTree,
  mistakes: FileMistakes,
  unknown: (path: Path) => void,
  path: Path = [],
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      checkFieldNames(item, tree, mistakes, unknown, [...path, index]);
    }
  }
  if (!isRecord(value)) return;
  for (const [name, part] of Object.entries(value)) {
    const known = Object.hasOwn(tree, name) ? tree[name] : undefined;
    if (known === undefined) {
      const meant = nearest(name, Object.keys(tree));
      if (meant === null) unknown([...path, name]);
      else mistakes.add([...path, name], "unknown field", "a field of Kubernetes", meant);
    } else if (known !== true) {
      checkFieldNames(part, known, mistakes, unknown, [...path, name]);
    }
  }
}
