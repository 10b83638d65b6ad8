/** `npm run soak`: see run.ts. Options before `--` go to node. */
import { runBundled } from "../../bench/bundled.mjs";

runBundled(new URL("run.ts", import.meta.url), process.argv.slice(2));
