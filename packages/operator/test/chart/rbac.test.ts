import { expect, it } from "vitest";
import { cases } from "./cases.js";
import { bothMajors, only, render } from "./helm.js";
import type { Manifest } from "./manifest.js";
import { describeWith } from "./tools.js";

/** Every right of the operator as `where: verb resource.group[/name]`, as the bindings give them to its service account. */
function rights(manifests: Manifest[]): string[] {
  const all: string[] = [];
  for (const binding of manifests.filter(({ kind }) => kind.endsWith("RoleBinding"))) {
    const { roleRef, subjects, metadata } = binding;
    const account = only(manifests, "ServiceAccount").metadata;
    expect(subjects).toEqual([{ kind: "ServiceAccount", name: account.name, namespace: account.namespace }]);
    const role = manifests.find(
      (one) =>
        one.kind === roleRef.kind &&
        one.metadata.name === roleRef.name &&
        one.metadata.namespace === metadata.namespace,
    );
    if (role === undefined) throw new Error(`${metadata.name} binds a role that is not there`);
    for (const { apiGroups, resources, verbs, resourceNames = [""] } of role.rules) {
      for (const group of apiGroups)
        for (const resource of resources)
          for (const verb of verbs)
            for (const name of resourceNames)
              all.push(`${metadata.namespace ?? "*"}: ${verb} ${resource}.${group}${name === "" ? "" : `/${name}`}`);
    }
  }
  return all.sort();
}

const read = (where: string, resource: string): string[] =>
  ["get", "list", "watch"].map((verb) => `${where}: ${verb} ${resource}`);
const events = (where: string): string[] => ["create", "patch"].map((verb) => `${where}: ${verb} events.events.k8s.io`);
const lease = [
  "rynxs-system: create leases.coordination.k8s.io",
  "rynxs-system: get leases.coordination.k8s.io/rynxs",
  "rynxs-system: update leases.coordination.k8s.io/rynxs",
  "rynxs-system: watch leases.coordination.k8s.io/rynxs",
];
const agents = (where: string): string[] => [
  ...read(where, "agents.universe.ai"),
  `${where}: patch agents/status.universe.ai`,
];

describeWith(bothMajors, "the operator's rights", (helm = "") => {
  it.each([
    ["the defaults", [...agents("*"), ...events("*"), ...lease]],
    [
      "watching named namespaces",
      [
        ...agents("team-a"),
        ...agents("team-b"),
        ...read("team-b", "configmaps."),
        ...events("team-a"),
        ...events("team-b"),
        ...lease,
      ],
    ],
    [
      "watching both ways",
      [...agents("*"), ...read("*", "deployments.apps"), ...read("team-a", "secrets."), ...events("*"), ...lease],
    ],
    ["no Kubernetes events, no metrics, no CRD", [...agents("*"), ...lease]],
    ["no leader election", [...agents("*"), ...events("*")]],
  ])("with %s are these and no more", async (name, expected) => {
    expect(rights(await render(helm, cases[name]))).toEqual([...expected].sort());
  });

  it("name the lease as the environment does", async () => {
    const manifests = await render(helm, cases["a full name"]);
    expect(rights(manifests)).toContain("rynxs-system: update leases.coordination.k8s.io/the-lease");
    const { env } = only(manifests, "Deployment").spec.template.spec.containers[0];
    expect(env).toContainEqual({ name: "RYNXS_LEASE_NAME", value: "the-lease" });
  });

  it("are none where others give them", async () => {
    const manifests = await render(helm, cases["no account and no roles of its own"]);
    expect(manifests.filter(({ kind }) => /Role|ServiceAccount/.test(kind))).toEqual([]);
    const { spec } = only(manifests, "Deployment").spec.template;
    expect(spec.serviceAccountName).toBe("default");
  });

  it("of two releases of one name in two namespaces do not meet", async () => {
    const names = async (namespace: string): Promise<string[]> =>
      (await render(helm, { namespace }))
        .filter(({ kind }) => kind.startsWith("ClusterRole"))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const [one, two] = [await names("one"), await names("two")];
    expect(one).toHaveLength(4);
    expect(one.filter((name) => two.includes(name))).toEqual([]);
  });
});
