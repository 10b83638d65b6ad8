/**
 * TCP, at the grain of trains: connections between sockets of namespaces. UDP's sockets are udp.ts'.
 *
 * Owns: handshake, messages in both directions, closing, resets, and retransmission with Linux' time-
 * outs. Refuses to own: the way of a packet (stack.ts) and what a message means (workload/).
 *
 * Grain: a message leaves as trains of at most 64 KiB, all at once. Not modelled: pure ACKs (a lost
 * packet is retransmitted when the timer that its missing ACK would have let expire fires, so nothing
 * needs them), congestion and receive windows, fast retransmit, reordering. A retransmission timer
 * is armed when the packet is lost, for the time at which it would have fired: the timers of packets
 * that arrive would only ever be cancelled.
 *
 * SCTP associations are connections of the same machinery under their own protocol number: INIT for SYN,
 * ABORT for RST. Not modelled: its timers, heartbeats, several addresses, and the bytes of its headers.
 */
import { Phase, type EventKind, type SimTimeNs, type Simulation } from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "./address.ts";
import { DueQueue } from "./dueQueue.ts";
import type { Namespace } from "./host.ts";
import { ListenerTable } from "./listeners.ts";
import { TransportProtocol, type TransportProtocolNumber } from "./nat.ts";
import type { Network } from "./network.ts";
import { Flag, ICMP_FLAGS, NO_SOCKET, type Packet } from "./packet.ts";
import type { NetworkStack, PacketReceiver } from "./stack.ts";
import { retriesFor, rtoNs, type Retransmission } from "./retransmission.ts";
import { SocketNat } from "./socketNat.ts";
import {
  sourceAddress,
  SocketPool,
  SocketState,
  type Listener,
  type ListenerHandler,
  type Socket,
  type SocketError,
  type SocketHandler,
} from "./socket.ts";
import { ABSENT, TupleTable } from "./tupleTable.ts";
import { Twins } from "./twins.ts";
import { UdpTransport } from "./udp.ts";

const { TCP, UDP } = TransportProtocol;
const SYN_ACK = Flag.syn | Flag.ack;
/** Attempt of a packet that no timer sends again. */
const NO_RETRY = -1;

export class Transport implements PacketReceiver {
  readonly sockets = new SocketPool();
  readonly network: Network;
  readonly udp: UdpTransport;
  readonly #sim: Simulation;
  readonly #stack: NetworkStack;
  readonly #table = new TupleTable();
  readonly #listeners = new ListenerTable();
  /** What each RST of a closed port that is on its way answers, by the packet's id. */
  readonly #answered = new Map<number, Retransmission>();
  readonly #twins = new Twins();
  readonly #pending: (Retransmission | null)[] = [];
  readonly #pendingFree: number[] = [];
  readonly #retransmitKind: EventKind;
  readonly #lingerKind: EventKind;
  /** Sockets in FIN_WAIT or TIME_WAIT, in order of the end of their wait. */
  readonly #lingering = new DueQueue();
  /** For hosts whose rules judge connect(). */
  readonly #socketNat: SocketNat;

  constructor(network: Network, stack: NetworkStack) {
    this.network = network;
    this.#sim = network.sim;
    this.#stack = stack;
    this.udp = new UdpTransport(network, stack, this.sockets);
    this.#socketNat = new SocketNat(network, this.sockets);
    this.#retransmitKind = this.#sim.defineKind("tcp_retransmit", Phase.timeout, (a) =>
      this.#retransmit(a),
    );
    this.#lingerKind = this.#sim.defineKind("tcp_linger_end", Phase.timeout, () =>
      this.#endLinger(),
    );
    stack.attach(this);
  }

  /**
   * @param address which of the namespace's addresses; NO_ADDRESS for all, which any other conflicts with
   * @returns the listener, or null when the port is taken in this namespace (EADDRINUSE)
   */
  listen(
    namespace: Namespace,
    port: number,
    handler: ListenerHandler,
    protocol: TransportProtocolNumber = TCP,
    address: AddressId = NO_ADDRESS,
  ): Listener | null {
    return this.#listeners.add({ namespace, protocol, address, port, handler });
  }

  isListening(namespace: Namespace, port: number): boolean {
    return this.#listeners.has(namespace, TCP, port);
  }

  /** Stops listening; new SYNs are refused. Connections that were accepted live on. */
  closeListener(listener: Listener): void {
    this.#listeners.close(listener);
  }

  /**
   * Opens a connection. The outcome comes as connected() or failed(), never before this returns; a UDP
   * socket is ready at once.
   * @returns null when no local port is free for this destination (EADDRNOTAVAIL), or the namespace has no
   *   address of its family
   */
  connect(
    namespace: Namespace,
    address: AddressId,
    port: number,
    handler: SocketHandler,
    user: number,
    protocol: TransportProtocolNumber = TCP,
  ): Socket | null {
    const rules = this.network.hosts[namespace.host]!.socketNat;
    if (rules === null) return this.#connect(namespace, address, port, handler, user, protocol);
    // To an endpoint in the place of the Service's address, or not at all.
    const nat = this.#socketNat;
    const next = nat.judge(rules, namespace, protocol, address, port);
    const sends = !nat.isRefused;
    const socket = this.#connect(namespace, nat.address, nat.port, handler, user, protocol, sends);
    if (socket === null) next.routeNote = -1;
    else if (!sends) this.#failSoon(socket);
    return socket;
  }

  /** connect() returns an error at once: the application sees it before anything else happens to it. */
  #failSoon(socket: Socket): void {
    const { generation } = socket;
    // Of UDP too: it is connected to nobody, and nothing leaves it.
    socket.state = SocketState.synSent;
    this.#sim.callAfter(0, Phase.deliver, () => {
      if (socket.generation !== generation) return;
      if (socket.protocol === UDP) socket.handler!.failed(socket, "EHOSTUNREACH");
      else this.#fail(socket, "EHOSTUNREACH");
    });
  }

  #connect(
    namespace: Namespace,
    address: AddressId,
    port: number,
    handler: SocketHandler,
    user: number,
    protocol: TransportProtocolNumber,
    sends = true,
  ): Socket | null {
    if (protocol === UDP) return this.udp.connect(namespace, address, port, handler, user);
    const localAddress = sourceAddress(this.network, namespace, address);
    if (localAddress === NO_ADDRESS) return null;
    const localPort = this.#pickPort(namespace, protocol, localAddress, address, port);
    if (localPort < 0) return null;
    const socket = this.#open(namespace, protocol, localAddress, localPort, address, port);
    socket.handler = handler;
    socket.user = user;
    socket.state = SocketState.synSent;
    if (sends) this.#send(socket, Flag.syn, 0, 0, 0, 0, 0);
    return socket;
  }

  /**
   * Sends a message of `bytes` in trains, followed by a FIN if `close`; on a UDP socket, one datagram.
   * @param message,info the application's words about it, handed to the peer with its last byte
   */
  send(socket: Socket, bytes: number, message: number, info: number, close: boolean): void {
    if (socket.protocol === UDP) {
      this.udp.send(socket, bytes, message, info);
      if (close) this.udp.close(socket);
      return;
    }
    const { trainBytes } = this.network.profile;
    socket.sentBytes += bytes;
    let leftBytes = bytes;
    while (leftBytes > trainBytes) {
      this.#send(socket, Flag.ack, trainBytes, bytes, message, info, 0);
      leftBytes -= trainBytes;
    }
    const flags = Flag.ack | Flag.push | (close ? Flag.fin : 0);
    this.#send(socket, flags, leftBytes, bytes, message, info, 0);
    if (close) this.#sentFin(socket);
  }

  /** close(): sends a FIN; the socket is the kernel's from now on and calls its handler no more. */
  close(socket: Socket): void {
    if (socket.protocol === UDP) {
      if (socket.state !== SocketState.free) this.udp.close(socket);
      return;
    }
    switch (socket.state) {
      case SocketState.established:
      case SocketState.closeWait:
        this.#send(socket, Flag.ack | Flag.fin, 0, 0, 0, 0, 0);
        this.#sentFin(socket);
        return;
      case SocketState.synRecv:
        this.abort(socket);
        return;
      case SocketState.synSent:
        this.#release(socket);
        return;
    }
  }

  /** close() with data unread, or SO_LINGER 0: a RST, and the socket is gone. */
  abort(socket: Socket): void {
    if (socket.state === SocketState.free) return;
    if (socket.state !== SocketState.synSent) this.#send(socket, Flag.rst, 0, 0, 0, 0, 0);
    this.#release(socket);
  }

  /** The socket vanishes without a packet: what still comes for it is answered with a RST. */
  forget(socket: Socket): void {
    if (socket.state !== SocketState.free) this.#release(socket);
  }

  /** The namespace ends: its sockets and listeners vanish without a packet. */
  closeNamespace(namespace: Namespace): void {
    namespace.alive = false;
    this.#listeners.closeNamespace(namespace);
    for (const socket of this.sockets.all) {
      if (socket.namespace !== namespace) continue;
      if (socket.protocol === UDP) this.udp.close(socket);
      else this.#release(socket);
    }
  }

  /** Remembers, for observations, which endpoint a socket's connection was routed to, and by which host. */
  noteRoute(
    socket: number,
    generation: number,
    endpoint: number,
    stale: number,
    host: number,
  ): void {
    const noted = this.sockets.all[socket];
    if (noted?.generation !== generation) return;
    noted.routeNote = endpoint < 0 ? -1 : 2 * endpoint + stale;
    noted.routedBy = host;
  }

  /** Remembers, for observations, from which address the other end sees a socket's connection come. */
  noteSeen(socket: number, generation: number, address: AddressId): void {
    const noted = this.sockets.all[socket];
    if (noted?.generation === generation) noted.seenAs = address;
  }

  hints(packet: Packet): Int32Array | null {
    return packet.originSocket === NO_SOCKET ? null : this.sockets.all[packet.originSocket]!.hints;
  }

  receive(namespace: Namespace, packet: Packet): void {
    if (packet.protocol === UDP) {
      this.udp.receive(namespace, packet);
      return;
    }
    if (packet.twin !== 0 && this.#twins.isSecond(packet)) return;
    if (packet.originSocket === NO_SOCKET) this.#answered.delete(packet.id);
    const socket = this.#socketFor(namespace, packet);
    if (socket === null) {
      this.#receiveWithoutSocket(namespace, packet);
      return;
    }
    socket.peer = packet.originSocket;
    const { flags } = packet;
    if ((flags & ICMP_FLAGS) !== 0) this.#receiveIcmp(socket, flags);
    else if ((flags & Flag.rst) !== 0) this.#receiveReset(socket);
    else if ((flags & Flag.syn) !== 0) this.#receiveSyn(socket, packet, namespace);
    else this.#receiveData(socket, packet, namespace);
  }

  lost(packet: Packet): void {
    if (packet.protocol === UDP) return;
    if (packet.twin !== 0 && this.#twins.otherCounts(packet)) return;
    const { flags } = packet;
    if (packet.originSocket !== NO_SOCKET) {
      if ((flags & SYN_ACK) === SYN_ACK) this.#armSyn(packet.message, packet.messageInfo);
      // Neither a RST nor a bare ACK is sent again, nor what answered a SYN that came twice.
      const once = (flags & Flag.rst) !== 0 || (flags === Flag.ack && packet.payloadBytes === 0);
      if (!once && packet.attempt >= 0) this.#arm(packet.sentAtNs, this.#tryOf(packet));
      return;
    }
    // A closed port's answer is lost: to the sender that is as if its own packet had been.
    const answered = this.#answered.get(packet.id);
    if (answered === undefined) return;
    this.#answered.delete(packet.id);
    this.#arm(packet.sentAtNs, answered);
  }

  /** Datagrams that come twice are the application's affair. */
  copied(packet: Packet, copy: Packet): void {
    if (packet.protocol !== UDP) this.#twins.add(packet, copy);
  }

  #tryOf(packet: Packet): Retransmission {
    return {
      socket: this.sockets.all[packet.originSocket]!,
      generation: packet.originGeneration,
      flags: packet.flags,
      payloadBytes: packet.payloadBytes,
      messageBytes: packet.messageBytes,
      message: packet.message,
      messageInfo: packet.messageInfo,
      attempt: packet.attempt,
    };
  }

  /** The SYN-ACK for `client` is lost: to it, that is as if its own SYN had been. */
  #armSyn(client: number, generation: number): void {
    const socket = this.sockets.all[client];
    if (socket?.generation !== generation || socket.state !== SocketState.synSent) return;
    const syn = { flags: Flag.syn, payloadBytes: 0, messageBytes: 0, message: 0, messageInfo: 0 };
    this.#arm(socket.synSentAtNs, { ...syn, socket, generation, attempt: socket.synAttempt });
  }

  /** The retransmission timer of a try that was sent at `sentAtNs` and failed. */
  #arm(sentAtNs: SimTimeNs, failed: Retransmission): void {
    if (failed.socket.generation !== failed.generation) return;
    // Tries whose time came while this one was held have been lost with it.
    const { tcp } = this.network.profile;
    let { attempt } = failed;
    let dueNs = sentAtNs + rtoNs(failed.flags, attempt, tcp);
    while (dueNs < this.#sim.nowNs) dueNs += rtoNs(failed.flags, ++attempt, tcp);
    if (failed.flags === Flag.syn) {
      // One SYN may be missed by its own loss and by that of each answer to it.
      if (failed.socket.synArmed > attempt) return;
      failed.socket.synArmed = attempt + 1;
    }
    const index = this.#pendingFree.pop() ?? this.#pending.length;
    this.#pending[index] = { ...failed, attempt: attempt + 1 };
    this.#sim.post(dueNs, this.#retransmitKind, index);
  }

  #retransmit(index: number): void {
    const again = this.#pending[index]!;
    if (this.network.outages > 0 && this.#waitsToRetransmit(again, index)) return;
    this.#pending[index] = null;
    this.#pendingFree.push(index);
    const { socket, flags, attempt } = again;
    if (socket.generation !== again.generation) return;
    if ((flags & Flag.syn) !== 0 && !this.#inHandshake(socket, flags)) return;
    const { tcp } = this.network.profile;
    if (attempt > retriesFor(flags, tcp)) {
      this.#fail(socket, "ETIMEDOUT");
      return;
    }
    const { payloadBytes, messageBytes, message, messageInfo } = again;
    this.#send(socket, flags, payloadBytes, messageBytes, message, messageInfo, attempt);
  }

  #waitsToRetransmit({ socket, generation }: Retransmission, index: number): boolean {
    if (socket.generation !== generation) return false;
    return this.network.holds(socket.namespace!.host, this.#retransmitKind, index);
  }

  #inHandshake(socket: Socket, flags: number): boolean {
    const synAck = (flags & Flag.ack) !== 0;
    return socket.state === (synAck ? SocketState.synRecv : SocketState.synSent);
  }

  /** The next local port that is free for this destination, cycling through the range; -1 if none. */
  #pickPort(
    namespace: Namespace,
    protocol: number,
    local: AddressId,
    remote: AddressId,
    remotePort: number,
  ): number {
    const { localPortFirst: first, localPortLast: last } = this.network.profile.tcp;
    let port = namespace.nextPort === 0 ? first : namespace.nextPort;
    for (let tried = first; tried <= last; tried++) {
      const candidate = port;
      port = port === last ? first : port + 1;
      const used = this.#table.get(namespace.index, protocol, local, candidate, remote, remotePort);
      if (used === ABSENT) {
        namespace.nextPort = port;
        return candidate;
      }
    }
    return -1;
  }

  #open(
    namespace: Namespace,
    protocol: TransportProtocolNumber,
    localAddress: AddressId,
    localPort: number,
    remoteAddress: AddressId,
    remotePort: number,
  ): Socket {
    const socket = this.sockets.take();
    socket.protocol = protocol;
    socket.namespace = namespace;
    socket.localAddress = localAddress;
    socket.localPort = localPort;
    socket.remoteAddress = remoteAddress;
    socket.remotePort = remotePort;
    const { index, addresses } = namespace;
    const { profile } = this.network;
    const mtuBytes = addresses.has(remoteAddress) ? profile.loopbackMtuBytes : profile.mtuBytes;
    const headerBytes = this.#headerBytes(remoteAddress);
    socket.mssBytes = mtuBytes - headerBytes;
    socket.overheadBytes = headerBytes + profile.frameBytesPerPacket;
    this.#table.set(index, protocol, localAddress, localPort, remoteAddress, remotePort, socket.id);
    return socket;
  }

  #headerBytes(peer: AddressId): number {
    const { headerBytesPerPacket, ipv6ExtraHeaderBytes } = this.network.profile;
    const isIpv6 = this.network.addresses.family(peer) === 6;
    return headerBytesPerPacket + (isIpv6 ? ipv6ExtraHeaderBytes : 0);
  }

  #release(socket: Socket): void {
    const { namespace, protocol, localAddress, localPort, remoteAddress, remotePort } = socket;
    const { index } = namespace!;
    this.#table.delete(index, protocol, localAddress, localPort, remoteAddress, remotePort);
    if (socket.state === SocketState.synRecv) socket.listener!.pending--;
    this.sockets.release(socket);
  }

  #fail(socket: Socket, error: SocketError): void {
    const { handler, state } = socket;
    const applicationHasIt =
      state === SocketState.synSent ||
      state === SocketState.established ||
      state === SocketState.closeWait;
    if (applicationHasIt) handler?.failed(socket, error);
    if (socket.state !== SocketState.free) this.#release(socket);
  }

  #socketFor(namespace: Namespace, packet: Packet): Socket | null {
    const origin = packet.originSocket;
    if (origin !== NO_SOCKET) {
      const { peer } = this.sockets.all[origin]!;
      // Never asked for -1: an index that an array cannot have is looked up as a name.
      if (peer !== NO_SOCKET) {
        const hint = this.sockets.all[peer]!;
        if (owns(hint, namespace, packet)) return hint;
      }
    }
    const id = this.#table.get(
      namespace.index,
      packet.protocol,
      packet.destination,
      packet.destinationPort,
      packet.source,
      packet.sourcePort,
    );
    if (id === ABSENT) return null;
    if (origin !== NO_SOCKET) this.sockets.all[origin]!.peer = id;
    return this.sockets.all[id]!;
  }

  #receiveWithoutSocket(namespace: Namespace, packet: Packet): void {
    const { flags } = packet;
    if ((flags & (ICMP_FLAGS | Flag.rst)) !== 0) return;
    if ((flags & (Flag.syn | Flag.ack)) === Flag.syn) {
      const listener = this.#listeners.find(namespace, packet);
      if (listener !== null) {
        this.#accept(listener, packet);
        return;
      }
    }
    this.#replyReset(namespace, packet);
  }

  #accept(listener: Listener, packet: Packet): void {
    if (listener.pending >= this.network.profile.tcp.listenBacklog) {
      this.network.packets.refuse(packet);
      this.network.countDrop(listener.namespace.name, "listen_overflow", packet.packets);
      this.lost(packet);
      return;
    }
    const socket = this.#open(
      listener.namespace,
      packet.protocol,
      packet.destination,
      packet.destinationPort,
      packet.source,
      packet.sourcePort,
    );
    socket.handler = listener.handler;
    socket.listener = listener;
    socket.state = SocketState.synRecv;
    listener.pending++;
    socket.peer = packet.originSocket;
    socket.answersSocket = packet.originSocket;
    socket.answersGeneration = packet.originGeneration;
    const origin = this.sockets.all[packet.originSocket];
    if (origin?.generation === packet.originGeneration) {
      socket.routeNote = origin.routeNote;
      origin.seenAs = packet.source;
      // Replies meet the same conntrack entries the other way round.
      for (let i = 0; i < packet.tables && i < socket.hints.length; i++) {
        socket.hints[i] = origin.hints[packet.tables - 1 - i]! ^ 1;
      }
    }
    this.#sendSynAck(socket, 0);
  }

  /** It carries along whose SYN it answers, for when it is lost. */
  #sendSynAck(socket: Socket, attempt: number): void {
    this.#send(socket, SYN_ACK, 0, 0, socket.answersSocket, socket.answersGeneration, attempt);
  }

  /** A closed port answers with a RST: ECONNREFUSED or ECONNRESET at the other end. */
  #replyReset(namespace: Namespace, packet: Packet): void {
    const reset = this.network.packets.take();
    reset.protocol = packet.protocol;
    reset.source = packet.destination;
    reset.sourcePort = packet.destinationPort;
    reset.destination = packet.source;
    reset.destinationPort = packet.sourcePort;
    reset.flags = Flag.rst;
    reset.packets = 1;
    reset.payloadBytes = 0;
    reset.wireBytes = this.#headerBytes(packet.source) + this.network.profile.frameBytesPerPacket;
    reset.sentAtNs = packet.sentAtNs;
    reset.attempt = 0;
    reset.originSocket = NO_SOCKET;
    if (packet.originSocket !== NO_SOCKET) this.#answered.set(reset.id, this.#tryOf(packet));
    this.#stack.output(reset, namespace);
  }

  /** In SYN_SENT an ICMP error ends connect(); later it is a soft error and nothing happens. */
  #receiveIcmp(socket: Socket, flags: number): void {
    if (socket.state !== SocketState.synSent) return;
    if ((flags & Flag.icmpPortUnreachable) !== 0) this.#fail(socket, "ECONNREFUSED");
    else if ((flags & Flag.icmpHostUnreachable) !== 0) this.#fail(socket, "EHOSTUNREACH");
    else this.#fail(socket, "ENETUNREACH");
  }

  #receiveReset(socket: Socket): void {
    this.#fail(socket, socket.state === SocketState.synSent ? "ECONNREFUSED" : "ECONNRESET");
  }

  #receiveSyn(socket: Socket, packet: Packet, namespace: Namespace): void {
    if ((packet.flags & Flag.ack) !== 0) {
      if (socket.state !== SocketState.synSent) return;
      socket.state = SocketState.established;
      socket.handler!.connected(socket);
      return;
    }
    // A SYN for a connection that still lingers: Linux lets a new one with a later sequence in.
    if (socket.state === SocketState.timeWait || socket.state === SocketState.finWait) {
      this.#release(socket);
      this.#receiveWithoutSocket(namespace, packet);
    } else if (socket.state === SocketState.synRecv && isOwnSyn(socket, packet)) {
      // Its SYN-ACK was lost, or is late. The server's own timer runs beside this.
      this.#sendSynAck(socket, NO_RETRY);
    } else if (socket.state !== SocketState.synSent) {
      // A live connection answers with a challenge ACK, to which the other end, who knows nothing of it,
      // sends a RST. The SYN goes again when its timer fires.
      this.#fail(socket, "ECONNRESET");
      this.lost(packet);
    }
  }

  #receiveData(socket: Socket, packet: Packet, namespace: Namespace): void {
    if (socket.state === SocketState.synRecv) {
      if (!socket.listener!.open) {
        // With its listener the half-open connection has gone.
        this.#release(socket);
        this.#replyReset(namespace, packet);
        return;
      }
      socket.state = SocketState.established;
      socket.listener!.pending--;
      (socket.handler as ListenerHandler).accepted(socket);
    }
    if (socket.state === SocketState.synSent || socket.state === SocketState.free) return;
    if (socket.state === SocketState.timeWait) return;
    if ((packet.flags & Flag.fin) !== 0) socket.finAtBytes = packet.streamBytes;
    if (packet.payloadBytes > 0 && !this.#receivePayload(socket, packet)) return;
    // A FIN that overtook a lost train waits for it.
    if (socket.finAtBytes === socket.arrivedBytes) this.#receiveFin(socket);
  }

  /** @returns whether the socket still lives */
  #receivePayload(socket: Socket, packet: Packet): boolean {
    if (socket.state === SocketState.finWait) {
      // The application has closed with data still to come: Linux answers with a RST.
      this.abort(socket);
      return false;
    }
    socket.arrivedBytes += packet.payloadBytes;
    socket.receivedBytes += packet.payloadBytes;
    if (socket.receivedBytes < packet.messageBytes) return true;
    socket.receivedBytes = 0;
    const { generation } = socket;
    socket.handler!.message(socket, packet.message, packet.messageInfo, packet.messageBytes);
    return socket.generation === generation;
  }

  #receiveFin(socket: Socket): void {
    if (socket.state === SocketState.finWait) {
      // The side that connected holds its port for 60 s. At the other end a new SYN would be let in
      // anyway, so nothing is kept.
      if (socket.listener === null) socket.state = SocketState.timeWait;
      else this.#release(socket);
      return;
    }
    socket.state = SocketState.closeWait;
    const { generation } = socket;
    socket.handler!.peerClosed(socket);
    // An application that closes at once answers with its own FIN; one that does not leaves an ACK.
    if (socket.generation === generation && socket.state === SocketState.closeWait) {
      this.#send(socket, Flag.ack, 0, 0, 0, 0, 0);
    }
  }

  #sentFin(socket: Socket): void {
    if (socket.state === SocketState.closeWait) {
      this.#release(socket);
      return;
    }
    socket.state = SocketState.finWait;
    const untilNs = this.#sim.nowNs + this.network.profile.tcp.lingerNs;
    if (this.#lingering.isEmpty) this.#sim.post(untilNs, this.#lingerKind);
    this.#lingering.push(socket.id, socket.generation, untilNs);
  }

  #endLinger(): void {
    const { nowNs } = this.#sim;
    while (this.#lingering.nextDueNs <= nowNs) {
      const generation = this.#lingering.nextTag;
      const socket = this.sockets.all[this.#lingering.take()]!;
      if (socket.generation === generation) this.#release(socket);
    }
    if (!this.#lingering.isEmpty) this.#sim.post(this.#lingering.nextDueNs, this.#lingerKind);
  }

  #send(
    socket: Socket,
    flags: number,
    payloadBytes: number,
    messageBytes: number,
    message: number,
    messageInfo: number,
    attempt: number,
  ): void {
    const packet = this.network.packets.take();
    packet.protocol = socket.protocol;
    packet.source = socket.localAddress;
    packet.sourcePort = socket.localPort;
    packet.destination = socket.remoteAddress;
    packet.destinationPort = socket.remotePort;
    packet.flags = flags;
    const { mssBytes } = socket;
    packet.packets = payloadBytes <= mssBytes ? 1 : Math.ceil(payloadBytes / mssBytes);
    packet.payloadBytes = payloadBytes;
    packet.wireBytes = payloadBytes + packet.packets * socket.overheadBytes;
    packet.streamBytes = socket.sentBytes;
    packet.messageBytes = messageBytes;
    packet.message = message;
    packet.messageInfo = messageInfo;
    packet.sentAtNs = this.#sim.nowNs;
    packet.attempt = attempt;
    packet.originSocket = socket.id;
    packet.originGeneration = socket.generation;
    if (flags === Flag.syn) {
      socket.synSentAtNs = this.#sim.nowNs;
      socket.synAttempt = attempt;
    }
    this.#stack.output(packet, socket.namespace!);
  }
}

/** Whether a SYN is the very one that a socket in SYN_RECV answers, sent again. */
function isOwnSyn({ answersSocket, answersGeneration }: Socket, packet: Packet): boolean {
  return answersSocket === packet.originSocket && answersGeneration === packet.originGeneration;
}

function owns(socket: Socket, namespace: Namespace, packet: Packet): boolean {
  return (
    socket.namespace === namespace &&
    socket.protocol === packet.protocol &&
    socket.localPort === packet.destinationPort &&
    socket.remotePort === packet.sourcePort &&
    socket.localAddress === packet.destination &&
    socket.remoteAddress === packet.source
  );
}
