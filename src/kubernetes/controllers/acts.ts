/**
 * Tells a listener what a controller asks of the API server, and what it hears.
 *
 * Owns: passing each call on unchanged. Refuses to own: what is right to ask (the laws, in scenario/compile/laws).
 */
import type { ApiClient, WriteCallback } from "../api/contract.ts";
import type { Kind } from "../api/types.ts";
import type { ActListener } from "./contract.ts";

export function tellingOf(client: ApiClient, listener: ActListener): ApiClient {
  const { name } = client;
  const heard =
    <K extends Kind>(kind: K, done: WriteCallback<K> | undefined): WriteCallback<K> =>
    (object, error) => {
      if (object !== null) listener.hears(name, kind, object);
      done?.(object, error);
    };
  return {
    ...client,
    create: (kind, object, done) => {
      listener.asks(name, kind, object);
      client.create(kind, object, heard(kind, done));
    },
    update: (kind, object, done) => {
      listener.asks(name, kind, object);
      client.update(kind, object, heard(kind, done));
    },
    patch: (kind, key, change, done) => client.patch(kind, key, change, heard(kind, done)),
  };
}
