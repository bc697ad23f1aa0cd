/** A configuration file for clients and kubectl, as YAML (which JSON strings are part of). */
export function kubeconfigText(url: string, token: string, caCertificate: string | undefined): string {
  const cluster = [`server: ${JSON.stringify(url)}`];
  if (caCertificate !== undefined) {
    cluster.push(`certificate-authority-data: ${Buffer.from(caCertificate).toString("base64")}`);
  }
  return `apiVersion: v1
kind: Config
clusters:
  - name: fake
    cluster:
      ${cluster.join("\n      ")}
users:
  - name: fake
    user:
      token: ${JSON.stringify(token)}
contexts:
  - name: fake
    context:
      cluster: fake
      user: fake
current-context: fake
`;
}
