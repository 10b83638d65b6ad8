/**
 * Clients for test/kernel/connections.test.ts. Input: [{"protocol", "source", "address", "port", "times"}].
 * Prints for each what its connections came to, once each: the server's words, or the error.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const timeoutMs = 400;

function dialTcp({ source, address, port }) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localAddress: source });
    let received = "";
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(Object.assign(new Error(), { code: "timeout" })),
    );
    socket.on("data", (data) => (received += data));
    socket.on("error", ({ code }) => resolve(code));
    socket.on("close", () => resolve(received));
  });
}

function dialUdp({ source, address, port }) {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const done = (result) => {
      clearTimeout(timer);
      socket.removeAllListeners("error").on("error", () => {});
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => done("timeout"), timeoutMs);
    socket.on("error", ({ code }) => done(code));
    socket.on("message", (data) => done(data.toString()));
    socket.bind(0, source, () => socket.connect(port, address, () => socket.send("?")));
  });
}

async function dial(flow) {
  const results = new Set();
  for (let i = 0; i < flow.times; i++) {
    results.add(await (flow.protocol === "UDP" ? dialUdp(flow) : dialTcp(flow)));
  }
  return [...results];
}

const flows = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await Promise.all(flows.map(dial))));
