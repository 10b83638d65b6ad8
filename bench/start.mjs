/** `npm run bench`: see run.ts. Options before `--` go to node. */
import { runBundled } from "./bundled.mjs";

runBundled(new URL("run.ts", import.meta.url), process.argv.slice(2));
