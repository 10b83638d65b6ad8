"""An M/M/1 queue at 80 % load in SimPy, twice: the models of bench/engine, line by line.

resource  a process per customer that requests a Resource with capacity 1: bench/engine/mm1-customers.ts
store     a source and a server with a Store between them: bench/engine/mm1-processes.ts

Prints one JSON line per seed: customers served, customers per second of wall time, and the mean time in
the system in ms (5 ms in theory).
Usage: python mm1_simpy.py resource|store [customers] [seeds]
"""

import json
import random
import sys
import time

import simpy

INTERARRIVAL_MS = 1.25
SERVICE_MS = 1.0


def resource_model(env, arrivals, services, customers, result):
    server = simpy.Resource(env, capacity=1)

    def customer():
        arrived_at = env.now
        with server.request() as request:
            yield request
            yield env.timeout(services.expovariate(1 / SERVICE_MS))
        result["sojourn_ms"] += env.now - arrived_at
        result["served"] += 1

    def source():
        for _ in range(customers):
            yield env.timeout(arrivals.expovariate(1 / INTERARRIVAL_MS))
            env.process(customer())

    env.process(source())


def store_model(env, arrivals, services, customers, result):
    queue = simpy.Store(env)

    def source():
        for _ in range(customers):
            yield env.timeout(arrivals.expovariate(1 / INTERARRIVAL_MS))
            yield queue.put(env.now)

    def server():
        while result["served"] < customers:
            arrived_at = yield queue.get()
            yield env.timeout(services.expovariate(1 / SERVICE_MS))
            result["sojourn_ms"] += env.now - arrived_at
            result["served"] += 1

    env.process(source())
    env.process(server())


MODELS = {"resource": resource_model, "store": store_model}


def main(model, customers, seed):
    env = simpy.Environment()
    result = {"served": 0, "sojourn_ms": 0.0}
    arrivals = random.Random(2 * seed)
    services = random.Random(2 * seed + 1)
    MODELS[model](env, arrivals, services, customers, result)
    started = time.perf_counter()
    env.run()
    elapsed = time.perf_counter() - started
    figures = {
        "work": result["served"],
        "perSecond": result["served"] / elapsed,
        "sojournMs": result["sojourn_ms"] / result["served"],
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    model, customers, seeds = (sys.argv[1:] + ["200000", "1"][len(sys.argv) - 2 :])[:3]
    for seed in range(int(seeds)):
        main(model, int(customers), seed)
