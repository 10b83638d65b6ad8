/**
 * Servers for test/kernel/connections.test.ts: each connection or datagram is told where it arrived and from
 * whom it seemed to come. Argument: {"tcp": [port], "udp": [[address, port]]}. Prints "ready" when all listen.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const plain = (address) => address.replace(/^::ffff:/, "");
const answer = (address, port, from) =>
  JSON.stringify({ address: plain(address), port, from: plain(from) });

const { tcp, udp } = JSON.parse(process.argv[2]);
const ready = [];
for (const port of tcp) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(answer(socket.localAddress, socket.localPort, socket.remoteAddress));
  });
  ready.push(new Promise((resolve) => server.listen(port, "::", resolve)));
}
for (const [address, port] of udp) {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (_, from) =>
    socket.send(answer(address, port, from.address), from.port, from.address),
  );
  ready.push(new Promise((resolve) => socket.bind(port, address, resolve)));
}
await Promise.all(ready);
process.stdout.write("ready\n");
