import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores(["**/dist/", "**/build/", "coverage/", ".rgw/", "**/fixtures/", "**/vectors/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.{js,mjs,cjs,ts}"],
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "no-control-regex": "error",
      "no-empty": "error",
      "no-fallthrough": "error",
      "no-loss-of-precision": "error",
      "no-misleading-character-class": "error",
      "no-self-compare": "error",
      "no-unsafe-finally": "error",
      "no-unused-vars": "error",
      "no-useless-assignment": "error",
      "no-useless-escape": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ["packages/*/tsconfig.json", "tsconfig.test.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "no-unused-vars": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_$", argsIgnorePattern: "^_" }],
      // isolatedDeclarations asks for types that could be inferred.
      "@typescript-eslint/consistent-generic-constructors": "off",
      "@typescript-eslint/no-inferrable-types": "off",
      // Strings are spread by code point on purpose: that is the order of keys in canonical JSON.
      "@typescript-eslint/no-misused-spread": "off",
      // The empty object is what a generic map of event types starts from.
      "@typescript-eslint/no-generated-empty-object-type": "off",
      // Asks for the non-null "!" that another rule forbids.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
        { selector: "PropertyDefinition[accessibility='private']", message: "Use #private." },
        { selector: "MethodDefinition[accessibility='private'][kind!='constructor']", message: "Use #private." },
      ],
    },
  },
  {
    files: ["packages/*/test/**/*.ts"],
    rules: {
      // An awaited callback that needs no await, an empty stub and a checked index are everyday things in tests.
      "@typescript-eslint/explicit-module-boundary-types": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/restrict-template-expressions": "off",
      "@typescript-eslint/unbound-method": "off",
    },
  },
  // What talks to people on the terminal.
  { files: ["scripts/**", "bench/**", "packages/cli/**", "helm/**"], rules: { "no-console": "off" } },
  { files: ["*.config.ts"], rules: { "no-restricted-syntax": "off" } },
);
