/**
 * `npm run build`: src/ to dist/, or to the folder named on the command line; what a report runs in a browser is one
 * script and one style there.
 * npm marks the command executable only when it links it; a build that writes it anew must do so too.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
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
  await bundlePlot();
  await bundleReport();
}
process.exitCode = status ?? 1;

async function bundleReport() {
  const folder = join(root, "src", "report", "browser");
  const target = join(out, "report", "browser");
  await build({
    entryPoints: [
      { in: join(folder, "main.tsx"), out: "report" },
      { in: join(folder, "style.css"), out: "report" },
    ],
    outdir: target,
    absWorkingDir: root,
    bundle: true,
    minify: true,
    charset: "ascii",
    format: "iife",
    logLevel: "warning",
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

/** What draws figures is only needed here: it goes into the module that uses it, with its font and its painter beside. */
async function bundlePlot() {
  const plot = join(out, "plot");
  const door = join(plot, "index.js");
  await build({
    entryPoints: [door],
    outfile: door,
    allowOverwrite: true,
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    format: "esm",
    minify: true,
    // Vega draws text with it where there is one: here there never is, so that bytes repeat.
    external: ["canvas"],
    nodePaths: [join(root, "node_modules")],
    logLevel: "error",
  });
  mkdirSync(join(plot, "assets"), { recursive: true });
  const assets = [
    "@resvg/resvg-wasm/index_bg.wasm",
    "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
  ];
  for (const asset of assets) {
    copyFileSync(join(root, "node_modules", asset), join(plot, "assets", basename(asset)));
  }
  for (const name of ["vega", "vega-lite", "csv-parse", "dejavu-fonts-ttf"]) {
    const licence = join(root, "node_modules", name, "LICENSE");
    copyFileSync(licence, join(plot, "assets", `LICENSE.${name}.txt`));
  }
  // What is bundled is not needed by itself.
  for (const name of readdirSync(plot, { recursive: true })) {
    if (name.endsWith(".js") && name !== "index.js") rmSync(join(plot, name));
  }
}
