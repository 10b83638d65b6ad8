/**
 * The one file: page, program, style and data, and nothing from anywhere else.
 *
 * Owns: what may run in it (a Content-Security-Policy that names the one script and the one style by their hashes), and
 * that no name from outside is ever markup: in the page it is escaped, and the data is base64 of a deflated JSON.
 */
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import type { Report } from "./model.ts";

/** What the browser part is built to: build.mjs. */
export interface Assets {
  readonly script: string;
  readonly style: string;
}

/** How a report begins: a file that begins otherwise is never written over. */
export const reportStart = "<!doctype html>\n<!-- podstorm report -->\n";

export function reportHtml(report: Report, { script, style }: Assets): string {
  if (/<\/script/i.test(script) || /<\/style/i.test(style)) {
    throw new Error("the report's own program would end early in a page");
  }
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const data = deflateRawSync(JSON.stringify(report), { level: 6 }).toString("base64");
  const { scenario, verdict } = report;
  const sentences = verdict.sentences.map((each) => `<p>${escaped(each)}</p>`).join("");
  return `${reportStart}<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(scenario)}: podstorm report</title>
<style>${style}</style>
</head>
<body>
<div id="report"><main><h1>${escaped(scenario)}</h1>${sentences}</main></div>
<script type="text/plain" id="report-data">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** As a policy names it. */
function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
