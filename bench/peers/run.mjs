/**
 * podstorm's M/M/1 benchmarks and SimPy's, in turn and several times, on this machine: the median rates and
 * their ratios.
 *
 * Usage: npm run bench:peers [-- rounds]; the interpreter is $PYTHON, by default python3.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROUNDS = 5;
const SIMPY_CUSTOMERS = 200_000;

const python = process.env.PYTHON || "python3";
const starter = fileURLToPath(new URL("../start.mjs", import.meta.url));
const peer = fileURLToPath(new URL("mm1_simpy.py", import.meta.url));

/** Each side by the name that the table shows; the models of one row are the same line by line. */
const contestants = {
  "numeric events": () => ours("M/M/1, numeric events"),
  "SimPy, a process per customer": () => simpy("resource"),
  "a process per customer": () => ours("M/M/1, a process per customer"),
  "SimPy, two processes and a store": () => simpy("store"),
  "two processes and a store": () => ours("M/M/1, generator processes"),
};
const comparisons = [
  ["numeric events", "SimPy, a process per customer"],
  ["numeric events", "SimPy, two processes and a store"],
  ["a process per customer", "SimPy, a process per customer"],
  ["two processes and a store", "SimPy, two processes and a store"],
];

function ours(name) {
  return rateOf(process.execPath, [starter, "--", "--json", name]);
}

function simpy(model) {
  return rateOf(python, [peer, model, String(SIMPY_CUSTOMERS)]);
}

/** Customers per second of wall time, as the command prints it. */
function rateOf(command, words) {
  const { status, stdout } = spawnSync(command, words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}: exit code ${status}`);
  return JSON.parse(stdout).perSecond;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function missingSimpy() {
  const { error, status } = spawnSync(python, ["-c", "import simpy"], { stdio: "ignore" });
  if (error === undefined && status === 0) return null;
  return error === undefined
    ? `${python} has no simpy. Install it, best in an environment of its own:`
    : `${python} cannot be started (${error.code}). With Python 3 installed:`;
}

function main(rounds) {
  const missing = missingSimpy();
  if (missing !== null) {
    console.error(
      `${missing}\n  python3 -m venv simpy-env && simpy-env/bin/pip install simpy\n` +
        `  PYTHON=simpy-env/bin/python npm run bench:peers`,
    );
    return 2;
  }
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error("rounds: a whole number from 1");
    return 2;
  }
  const rates = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round} of ${rounds}`);
    for (const [name, measure] of Object.entries(contestants)) rates[name].push(measure());
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  console.log(`M/M/1, customers per second: median of ${rounds}, measured in turn`);
  for (const [name, values] of Object.entries(rates)) {
    console.log(`  ${name.padEnd(34)} ${Math.round(median(values)).toString().padStart(10)}`);
  }
  console.log("\npodstorm over SimPy");
  for (const [own, other] of comparisons) {
    const ratio = median(rates[own]) / median(rates[other]);
    console.log(`  ${own.padEnd(26)} ${`/ ${other}`.padEnd(36)} ${ratio.toFixed(1).padStart(6)}`);
  }
  return 0;
}

process.exitCode = main(Number(process.argv[2] ?? ROUNDS));
