/**
 * A manifest of any kind that the chart renders, with the fields that tests look at. Which of them a kind has is checked by the
 * schemas (schemas.ts), not by these types: looking at a field that is not there gives undefined, and a test that expects it fails.
 */
export interface Manifest {
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
  readonly data: Labels;
  readonly rules: readonly PolicyRule[];
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: unknown;
}

export type Labels = Readonly<Record<string, string>>;

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Labels;
  readonly annotations?: Labels;
}

export interface Selector {
  readonly matchLabels: Labels;
}

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Spec extends PodSpec {
  readonly replicas: number;
  readonly strategy: unknown;
  /** Of a Service this is the labels themselves. */
  readonly selector: Selector;
  readonly template: { readonly metadata: Metadata; readonly spec: PodSpec };
  readonly ports: readonly Port[];
  readonly maxUnavailable?: unknown;
  readonly podSelector: Selector;
  readonly policyTypes: unknown;
  readonly ingress: readonly { readonly ports: unknown; readonly from: readonly Peer[] }[];
  readonly egress: readonly unknown[];
  readonly namespaceSelector: { readonly matchNames: unknown };
  readonly endpoints: readonly Port[];
  readonly groups: unknown;
}

interface Peer {
  readonly namespaceSelector: Selector;
  readonly podSelector: Selector;
}

interface Port {
  readonly name: string;
  readonly port: number | string;
  readonly hostPort?: number;
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsUser: number };
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly [Container, ...Container[]];
  readonly volumes?: readonly object[];
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: Selector }[];
}

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly securityContext: unknown;
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly Port[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly volumeMounts: readonly object[];
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

interface Probe {
  readonly httpGet: unknown;
  readonly periodSeconds: number;
}
