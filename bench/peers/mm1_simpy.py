"""An M/M/1 queue at 80 % load in SimPy: the model of bench/engine/mm1-processes.ts, line by line.

Prints one JSON line: customers served, customers per second of wall time, mean time in the system in ms.
Usage: python mm1_simpy.py [customers]
"""

import json
import random
import sys
import time

try:
    import simpy
except ImportError:
    print(json.dumps({"skipped": "simpy is not installed"}))
    sys.exit(0)

INTERARRIVAL_MS = 1.25
SERVICE_MS = 1.0


def source(env, queue, arrivals, customers):
    for _ in range(customers):
        yield env.timeout(arrivals.expovariate(1 / INTERARRIVAL_MS))
        yield queue.put(env.now)


def server(env, queue, services, customers, result):
    for _ in range(customers):
        arrived_at = yield queue.get()
        yield env.timeout(services.expovariate(1 / SERVICE_MS))
        result["sojourn_ms"] += env.now - arrived_at
        result["served"] += 1


def main(customers):
    env = simpy.Environment()
    queue = simpy.Store(env)
    result = {"served": 0, "sojourn_ms": 0.0}
    env.process(source(env, queue, random.Random(1), customers))
    env.process(server(env, queue, random.Random(2), customers, result))
    started = time.perf_counter()
    env.run()
    elapsed = time.perf_counter() - started
    print(
        json.dumps(
            {
                "work": result["served"],
                "perSecond": result["served"] / elapsed,
                "sojournMs": result["sojourn_ms"] / result["served"],
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
