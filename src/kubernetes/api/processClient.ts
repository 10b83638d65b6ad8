/**
 * The API client of a process that may end.
 *
 * Owns: that nothing is sent, and no answer finds anybody, once the process is no more.
 */
import type { ApiClient, WriteCallback } from "./contract.ts";
import type { Kind } from "./types.ts";

export interface Process {
  readonly isOver: boolean;
}

export function whileAlive(client: ApiClient, process: Process): ApiClient {
  const heard =
    <K extends Kind>(done: WriteCallback<K> | undefined): WriteCallback<K> =>
    (object, error) => {
      if (!process.isOver) done?.(object, error);
    };
  return {
    name: client.name,
    create: (kind, object, done) => {
      if (!process.isOver) client.create(kind, object, heard(done));
    },
    update: (kind, object, done) => {
      if (!process.isOver) client.update(kind, object, heard(done));
    },
    patch: (kind, key, change, done) => {
      if (!process.isOver) client.patch(kind, key, change, heard(done));
    },
    delete: (kind, key, options, done) => {
      if (!process.isOver) client.delete(kind, key, options, heard(done));
    },
    recordEvent: (about) => {
      if (!process.isOver) client.recordEvent(about);
    },
    evict: (key, options, done) => {
      if (!process.isOver) client.evict(key, options, heard(done));
    },
  };
}
