/**
 * The formulas of queueing theory that the simulations are compared with.
 *
 * Owns: closed forms and the steady state of a birth-death chain. Refuses to own: anything simulated.
 * Rates are per unit of time, whatever the unit. Notation: lambda arrivals, mu services of one server,
 * a = lambda / mu offered load, rho = a / servers. Source of all: L. Kleinrock, "Queueing Systems", volume 1
 * (1975), chapters 3 (birth-death, M/M/c/K, machine repair) and 5 (M/G/1).
 */

/** Steady state of a queue with the numbers in it 0..states - 1: p(n + 1) = p(n) birth(n) / death(n + 1). */
export function birthDeath(
  states: number,
  birth: (n: number) => number,
  death: (n: number) => number,
): number[] {
  const weights = [1];
  for (let n = 0; n + 1 < states; n++) weights.push((weights[n]! * birth(n)) / death(n + 1));
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

/** Share of arrivals lost by M/G/c/c: B(0) = 1, B(n) = a B(n - 1) / (n + a B(n - 1)). */
export function erlangB(servers: number, offered: number): number {
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = (offered * blocked) / (n + offered * blocked);
  return blocked;
}

/** Share of arrivals that wait in M/M/c: B / (1 - rho (1 - B)). */
export function erlangC(servers: number, offered: number): number {
  const blocked = erlangB(servers, offered);
  return blocked / (1 - (offered / servers) * (1 - blocked));
}

/** Mean wait of M/M/c: C / (c mu - lambda). */
export function mmcWait(servers: number, lambda: number, mu: number): number {
  return erlangC(servers, lambda / mu) / (servers * mu - lambda);
}

/** Pollaczek-Khinchine: mean wait of M/G/1, lambda E[S^2] / (2 (1 - rho)). */
export function pollaczekKhinchine(lambda: number, mean: number, secondMoment: number): number {
  return (lambda * secondMoment) / (2 * (1 - lambda * mean));
}

export interface FiniteQueue {
  /** Share of arrivals that are turned away (by PASTA, of the time that the queue is full). */
  readonly loss: number;
  /** Share of the accepted that wait. */
  readonly waiting: number;
  /** Mean number in the system, and mean wait and sojourn of the accepted. */
  readonly inSystem: number;
  readonly wait: number;
  readonly sojourn: number;
}

/** M/M/c/K: c servers, K places in all. */
export function mmcK(servers: number, places: number, lambda: number, mu: number): FiniteQueue {
  const p = birthDeath(
    places + 1,
    () => lambda,
    (n) => Math.min(n, servers) * mu,
  );
  const loss = p[places]!;
  const accepted = lambda * (1 - loss);
  const inSystem = sum(p.map((share, n) => n * share));
  const sojourn = inSystem / accepted;
  return {
    loss,
    waiting: sum(p.slice(servers, places)) / (1 - loss),
    inSystem,
    wait: sojourn - 1 / mu,
    sojourn,
  };
}

export interface ClosedQueue {
  /** Mean number at the servers. */
  readonly inSystem: number;
  /** Visits to the servers in a unit of time. */
  readonly throughput: number;
  readonly sojourn: number;
  /** Share of visits that wait. */
  readonly waiting: number;
}

/**
 * Machine repair, M/M/c//N: each of N machines runs for a mean of 1 / lambda (of any distribution), then
 * needs one of c repairmen for an exponential time of mean 1 / mu.
 */
export function machineRepair(
  machines: number,
  servers: number,
  lambda: number,
  mu: number,
): ClosedQueue {
  const state = (population: number): number[] =>
    birthDeath(
      population + 1,
      (n) => (population - n) * lambda,
      (n) => Math.min(n, servers) * mu,
    );
  const inSystem = sum(state(machines).map((share, n) => n * share));
  const throughput = (machines - inSystem) * lambda;
  return {
    inSystem,
    throughput,
    sojourn: inSystem / throughput,
    // Arrival theorem: a machine that breaks sees the others as if it were not one of them.
    waiting: sum(state(machines - 1).slice(servers)),
  };
}

/**
 * P(wait <= t) in M/D/1: (1 - rho) sum over k = 0..floor(t / D) of x^k e^-x / k! with x = -lambda (t - k D).
 * Source: A. K. Erlang (1909), as in H. C. Tijms, "A First Course in Stochastic Models" (2003), section 9.6.
 */
export function mD1WaitAtMost(t: number, lambda: number, service: number): number {
  let total = 0;
  for (let k = 0; k <= Math.floor(t / service); k++) {
    total += poisson(k, -lambda * (t - k * service));
  }
  return (1 - lambda * service) * total;
}

/** The wait that a share p of M/D/1's customers does not exceed; p above 1 - rho. */
export function mD1WaitQuantile(p: number, lambda: number, service: number): number {
  let low = 0;
  let high = service;
  while (mD1WaitAtMost(high, lambda, service) < p) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (mD1WaitAtMost(middle, lambda, service) < p) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Share lost by M/G/1/K, K places in all: 1 - 1 / (pi(0) + rho), with pi what departing customers leave
 * behind: pi(j + 1) a(0) = pi(j) - sum over i = 1..j of pi(i) a(j - i + 1) - pi(0) a(j).
 * Source: D. Gross and C. M. Harris, "Fundamentals of Queueing Theory" (1985), section 5.1.8.
 * @param during a(j): probability that j customers arrive during one service
 */
export function mG1KLoss(places: number, rho: number, during: (j: number) => number): number {
  const left = [1];
  for (let j = 0; j + 1 < places; j++) {
    let next = left[j]! - left[0]! * during(j);
    for (let i = 1; i <= j; i++) next -= left[i]! * during(j - i + 1);
    left.push(next / during(0));
  }
  return 1 - 1 / (left[0]! / sum(left) + rho);
}

/** Probability of j arrivals of a Poisson process where `mean` are expected. */
export function poisson(j: number, mean: number): number {
  let term = Math.exp(-mean);
  for (let i = 1; i <= j; i++) term *= mean / i;
  return term;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
