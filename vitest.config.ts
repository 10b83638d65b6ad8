import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: Object.entries({
      "podstorm/arbitraries": "src/testing/arbitraries/index.ts",
      "podstorm/vitest": "src/testing/vitest/index.ts",
      podstorm: "src/index.ts",
    }).map(([find, file]) => ({
      find: new RegExp(`^${find}$`),
      replacement: fileURLToPath(new URL(file, import.meta.url)),
    })),
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/helpers/build-folder.ts",
    // Files of one worker share their modules, which hold no state: a third of the suite's CPU time was loading them.
    // What remembers the folder in which it was first loaded, as esbuild does, is to be told where it works.
    isolate: false,
    // Vitest leaves a core free; of two that would be half of the machine.
    maxWorkers: "100%",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
