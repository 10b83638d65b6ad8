/**
 * Files that figures need beside the code: in the package they lie in dist/plot/assets, where the build puts them; in a clone they are
 * those of the packages that they come from.
 *
 * Owns: where they are.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const assets = {
  resvg: "@resvg/resvg-wasm/index_bg.wasm",
  font: "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
  boldFont: "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
} as const;

export function assetFile(name: keyof typeof assets): string {
  const path = assets[name];
  const packed = fileURLToPath(
    new URL(`assets/${path.slice(path.lastIndexOf("/") + 1)}`, import.meta.url),
  );
  return existsSync(packed) ? packed : createRequire(import.meta.url).resolve(path);
}
