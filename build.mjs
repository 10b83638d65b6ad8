/**
 * `npm run build`: src/ to dist/, or to the folder named on the command line.
 * npm marks the command executable only when it links it; a build that writes it anew must do so too.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = import.meta.dirname;
const out = process.argv[2] ?? join(root, "dist");
rmSync(out, { recursive: true, force: true });

const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const project = join(root, "tsconfig.build.json");
const { status } = spawnSync(process.execPath, [tsc, "-p", project, "--outDir", out], {
  stdio: "inherit",
});
if (status === 0) chmodSync(join(out, "cli", "main.js"), 0o755);
process.exitCode = status ?? 1;
