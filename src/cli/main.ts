#!/usr/bin/env node
/**
 * The `sim` command.
 *
 * Owns: nothing but the start: tests start the same with stand-ins.
 */
import { runProcess } from "./process.ts";
import { realDependencies } from "./rooms.ts";

await runProcess(realDependencies());
