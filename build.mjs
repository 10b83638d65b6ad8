/**
 * `npm run build`: src/ to dist/, or to the folder named on the command line; what a report runs in a browser is one
 * script and one style there.
 * npm marks the command executable only when it links it; a build that writes it anew must do so too.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const out = process.argv[2] ?? join(root, "dist");
rmSync(out, { recursive: true, force: true });

const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const project = join(root, "tsconfig.build.json");
const { status } = spawnSync(process.execPath, [tsc, "-p", project, "--outDir", out], {
  stdio: "inherit",
});
if (status === 0) {
  chmodSync(join(out, "cli", "main.js"), 0o755);
  await bundleReport();
}
process.exitCode = status ?? 1;

async function bundleReport() {
  const common = {
    bundle: true,
    minify: true,
    charset: "ascii",
    logLevel: "warning",
    absWorkingDir: root,
  };
  const folder = join(root, "src", "report", "browser");
  const target = join(out, "report", "browser");
  await build({
    ...common,
    entryPoints: [
      { in: join(folder, "main.tsx"), out: "report" },
      { in: join(folder, "style.css"), out: "report" },
    ],
    outdir: target,
    format: "iife",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    banner: { js: `/*!\n${licences()}*/` },
  });
}

/** What is bundled says whose it is. */
function licences() {
  const texts = ["preact", "uplot"].map((name) => {
    const licence = join(root, "node_modules", name, "LICENSE");
    return `${name}\n\n${readFileSync(licence, "utf8")}\n`;
  });
  return texts.join("\n").replaceAll("*/", "* /");
}
