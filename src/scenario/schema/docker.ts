/**
 * Reading what a scenario says about Docker hosts.
 *
 * Owns: the fields of `docker` and of a container, and targets that are no Service, each with its range and default.
 * Refuses to own: whether names exist and ports are free (../docker.ts).
 */
import { z } from "zod";
import type { PublishedPort, RestartPolicy } from "../../docker/contract.ts";
import { ANY_ADDRESS } from "../../docker/contract.ts";
import { labelName } from "../manifests/objects.ts";
import { describeValue, type FileMistakes } from "../mistakes.ts";
import { readServer, type ServerSpec } from "../servers/index.ts";
import {
  boolean,
  duration,
  fields,
  integer,
  isRecord,
  object,
  read,
  scalar,
  text,
  word,
  type ReadingContext,
} from "./reading.ts";
import type { Parsed } from "../units.ts";
import { ipv4Prefix } from "./prefix.ts";

const MOST_HOSTS = 1000;

const publishedPort: z.ZodType<PublishedPort> = scalar(
  'a published port: "[ADDRESS:]HOSTPORT:CONTAINERPORT[/udp]", such as "8080:80"',
  (input) => {
    const match = /^(?:([\d.]+):)?(\d{1,5}):(\d{1,5})(?:\/(\w+))?$/.exec(String(input));
    if (typeof input !== "string" || match === null) return null;
    const [, hostIP = ANY_ADDRESS, host, container, protocol = "tcp"] = match;
    if (protocol !== "tcp" && protocol !== "udp") {
      return { problem: `${protocol} is not modelled for published ports` };
    }
    const [hostPort, containerPort] = [Number(host), Number(container)];
    const isPort = (n: number): boolean => n >= 1 && n <= 65_535;
    return isPort(hostPort) && isPort(containerPort)
      ? { value: { protocol, hostIP, hostPort, containerPort } }
      : { problem: "ports go from 1 to 65535" };
  },
);

/** A port with its protocol, as `docker run --expose` has it. */
export interface PortPart {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
}

/** 53, "53" or "53/udp". */
const exposedPort: z.ZodType<PortPart> = scalar('a port such as 80 or "53/udp"', (input) => {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(String(input));
  if ((typeof input !== "number" && typeof input !== "string") || match === null) return null;
  const number = Number(match[1]);
  return number >= 1 && number <= 65_535
    ? { value: { port: number, protocol: (match[2] ?? "tcp") as PortPart["protocol"] } }
    : { problem: "ports go from 1 to 65535" };
});

const restartPolicy: z.ZodType<RestartPolicy> = scalar(
  '"no", "always", "unless-stopped", "on-failure" or "on-failure:N"',
  (input): Parsed<RestartPolicy> | null => {
    const match = /^(no|always|unless-stopped|on-failure)(?::(\d{1,6}))?$/.exec(String(input));
    if (typeof input !== "string" || match === null) return null;
    const name = match[1] as RestartPolicy["name"];
    if (match[2] === undefined) return { value: { name, maximumRetryCount: null } };
    return name === "on-failure"
      ? { value: { name, maximumRetryCount: Number(match[2]) } }
      : { problem: "only on-failure counts" };
  },
);

const settings = object({
  hosts: integer("a number of hosts", 1, MOST_HOSTS).default(1),
  hostCIDR: ipv4Prefix(8, 28).default("192.168.0.0/24"),
  bridgeCIDR: ipv4Prefix(8, 28).default("172.17.0.0/16"),
  userlandProxy: boolean.default(true),
  containers: z.array(z.unknown()).default([]),
});

const containerFields = object({
  name: labelName,
  host: text("the name of a Docker host").default("docker-1"),
  image: text("the name of an image").optional(),
  publish: z.array(publishedPort).default([]),
  expose: z.array(exposedPort).optional(),
  network: word("bridge", "host").default("bridge"),
  restart: restartPolicy.default({ name: "no", maximumRetryCount: null }),
  start: duration.default(0),
  // Read by the table of servers.
  server: z.unknown().optional(),
});

export type ContainerPart = Omit<z.output<typeof containerFields>, "server"> & {
  readonly server: ServerSpec | undefined;
  readonly path: readonly (string | number)[];
};

export interface DockerPart extends Omit<z.output<typeof settings>, "containers"> {
  readonly containers: readonly ContainerPart[];
  /** False after a mistake in one of them: what is not found may be there. */
  readonly isWhole: boolean;
}

/** undefined where there is none; null after mistakes. */
export function readDocker(input: unknown, mistakes: FileMistakes): DockerPart | undefined | null {
  if (input === undefined) return undefined;
  const part = read(settings, input, mistakes, ["docker"]);
  if (part === undefined) return null;
  const containers = part.containers.flatMap((item, index) => {
    const path = ["docker", "containers", index];
    const value = read(containerFields, item, mistakes, path);
    const written = isRecord(item) ? item["server"] : undefined;
    const server =
      written === undefined ? undefined : readServer(written, [...path, "server"], mistakes);
    if (server?.kind === "requests" && server.calls !== undefined) {
      const found = "calls of a container, which knows no Service";
      mistakes.add([...path, "server", "calls"], found, "servers of the cluster with calls");
    }
    return value === undefined ? [] : [{ ...value, server, path }];
  });
  return { ...part, containers, isWhole: containers.length === part.containers.length };
}

/** A target that is an address rather than a Service. */
export type DockerTargetPart =
  | ({ readonly via: "container" | "hostPort"; readonly name: string } & PortPart)
  | ({ readonly via: "localhost" } & PortPart);

export const DOCKER_TARGETS = 'container("NAME:PORT"), hostPort("HOST:PORT") or localhost(PORT)';

/** null for what is none; undefined after a mistake in one, which is reported. */
export function dockerTarget(
  input: unknown,
  context: ReadingContext,
): DockerTargetPart | undefined | null {
  const kind = isRecord(input) ? input["kind"] : undefined;
  if (!isRecord(input)) return null;
  if (kind === "localhost") {
    const value = context.nested(fields("localhost", { port: exposedPort }), input);
    return value === undefined ? undefined : { via: "localhost", ...value.port };
  }
  if (kind !== "container" && kind !== "hostPort") return null;
  const match = /^([a-z0-9][a-z0-9.-]*):(\d{1,5})(?:\/(tcp|udp))?$/.exec(String(input[kind]));
  if (match === null) {
    const allowed = kind === "container" ? '"NAME:PORT"' : '"HOST:PORT"';
    context.mistake([kind], describeValue(input[kind]), `${allowed}, such as "web:80"`);
    return undefined;
  }
  const protocol = (match[3] ?? "tcp") as PortPart["protocol"];
  return { via: kind, name: match[1]!, port: Number(match[2]), protocol };
}
