// Which folder may import what (docs/ARCHITECTURE.md). Data flows one way: nothing lower knows anything higher.

const library = "^packages/event-store/src/";

/** The library's layers, lowest first. Each may import itself and those before it. */
const layers = ["core", "system", "objects", "log", "stores", "crypto", "trust"];

const onlyDownwards = layers.slice(0, -1).map((layer, index) => ({
  name: `${layer}-knows-nothing-higher`,
  severity: "error",
  from: { path: `${library}${layer}/` },
  to: { path: [`${library}(${layers.slice(index + 1).join("|")})/`, `${library}[^/]+$`] },
}));

const operator = "^packages/operator/src/";

/** The operator's layers, lowest first. */
const operatorLayers = ["kube", "watch", "election", "record", "report", "app"];

const operatorDownwards = operatorLayers.slice(0, -1).map((layer, index) => ({
  name: `operator-${layer}-knows-nothing-higher`,
  severity: "error",
  from: { path: `${operator}${layer}/` },
  to: { path: [`${operator}(${operatorLayers.slice(index + 1).join("|")})/`, `${operator}[^/]+$`] },
}));

const npm = ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-bundled", "npm-no-pkg", "npm-unknown"];
const packages = (...names) => `(^|/)node_modules/(${names.join("|")})/`;

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-dead-ends", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...onlyDownwards,
    ...operatorDownwards,
    {
      name: "core-is-pure",
      comment: "no input or output, no clock: of Node only what computes",
      severity: "error",
      from: { path: `${library}core/` },
      to: { pathNot: [`${library}core/`, "^(node:)?(crypto|buffer|util)$"] },
    },
    {
      name: "nothing-uses-testing",
      comment: "the testing kit is for users' tests and ours",
      severity: "error",
      from: { path: `${library}(?!testing/)` },
      to: { path: `${library}testing/` },
    },
    {
      name: "library-packages",
      comment: "the library's only packages are undici and AWS's, and only the S3 drivers know them",
      severity: "error",
      from: { path: library, pathNot: `${library}objects/s3/` },
      to: { dependencyTypes: npm },
    },
    {
      name: "s3-driver-packages",
      severity: "error",
      from: { path: `${library}objects/s3/` },
      to: {
        dependencyTypes: npm,
        pathNot: packages("undici", "@aws-sdk/credential-provider-node", "@aws-sdk/client-s3"),
      },
    },
    {
      name: "cli-packages",
      severity: "error",
      from: { path: "^packages/cli/src/" },
      to: {
        dependencyTypes: npm,
        pathNot: packages(
          "commander",
          "cli-progress",
          "cli-table3",
          "@types/cli-progress",
          "hyparquet-writer",
          "hyparquet",
          "@duckdb/node-api",
        ),
      },
    },
    {
      name: "cli-uses-public-entries",
      severity: "error",
      from: { path: "^packages/cli/" },
      to: { path: "^packages/event-store/", pathNot: `${library}((testing/|trust/|crypto/)?index|stores/open)\\.ts$` },
    },
    {
      name: "operator-uses-public-entries",
      severity: "error",
      from: { path: "^packages/operator/" },
      to: {
        path: "^packages/event-store/",
        pathNot: `${library}((testing/|trust/|crypto/)?index|stores/open|objects/s3/index)\\.ts$`,
      },
    },
    {
      name: "operator-knows-no-other-face",
      severity: "error",
      from: { path: "^packages/operator/src/" },
      to: { path: "^packages/cli/" },
    },
    {
      name: "operator-uses-testing-only-in-testing",
      severity: "error",
      from: { path: `${operator}(?!testing/)` },
      to: { path: [`${operator}testing/`, `${library}testing/`] },
    },
    {
      name: "library-knows-no-face",
      severity: "error",
      from: { path: "^packages/event-store/" },
      to: { path: "^packages/(?!event-store/)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.test.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".d.ts"],
    },
  },
};
