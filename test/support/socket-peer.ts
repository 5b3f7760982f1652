/** One end of a connection, as a program of its own: `node socket-peer.ts listen|connect|echo|talk|sink|send|names|ask ...`. */
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer } from 'node:net';
import { errorCode } from '../../src/host/error-code.ts';

const CONNECT_TIMEOUT_MS = 1_000;
const TALK_INTERVAL_MS = 50;
/** What `names` answers: RFC 5737, for documentation. */
const ANSWER = [192, 0, 2, 99];

const [role = '', address = '', ...rest] = process.argv.slice(2);

switch (role) {
  case 'listen':
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`hello ${socket.remoteAddress}\n`);
    }).listen(Number(rest[0]), address, () => console.log('listening'));
    break;
  case 'connect':
    connectOnce();
    break;
  case 'sink':
    receive();
    break;
  case 'send':
    send();
    break;
  case 'echo':
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    }).listen(Number(rest[0]), address, () => console.log('listening'));
    break;
  case 'talk':
    talk();
    break;
  case 'names':
    serveNames();
    break;
  case 'ask':
    await ask();
    break;
  default:
    throw new Error(`No such role: ${role}`);
}

function connectOnce(): void {
  const [port, from] = rest;
  const socket = connect({ host: address, port: Number(port), ...(from && { localAddress: from }) });
  const tell = (outcome: string): void => {
    console.log(outcome);
    process.exit(0);
  };
  socket.setEncoding('utf8');
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => tell('timeout'));
  socket.once('data', (text) => tell(String(text).trim()));
  socket.once('error', (error) => tell(errorCode(error) ?? error.message));
}

/** Says something whenever it is answered, and else now and then; prints `talking` after the first answer, and how it ended. */
function talk(): void {
  const socket = connect({ host: address, port: Number(rest[0]) });
  socket.write('ping');
  socket.once('data', () => console.log('talking'));
  socket.on('data', () => setImmediate(() => socket.write('ping')));
  // An answer that was stopped on its way is never missed otherwise.
  setInterval(() => socket.write('ping'), TALK_INTERVAL_MS);
  socket.once('error', (error) => console.log(errorCode(error) ?? error.message));
  socket.once('close', () => process.exit(0));
}

/** Prints each datagram as it comes. */
function receive(): void {
  const socket = createSocket('udp4');
  socket.on('message', (text) => console.log(String(text)));
  socket.bind(Number(rest[0]), address, () => console.log('listening'));
}

/** Sends one datagram, under an address of ours that may be borrowed. */
function send(): void {
  const [port, text = '', from] = rest;
  const socket = createSocket('udp4');
  socket.bind(0, from, () => socket.send(text, Number(port), address, () => socket.close()));
}

/**
 * Over UDP and TCP; names that begin with `long` only over TCP: over UDP their answer is cut.
 */
function serveNames(): void {
  const socket = createSocket('udp4');
  socket.on('message', (query, client) => {
    const isCut = query.toString('latin1', 13, 17) === 'long';
    socket.send(answerName(query, isCut), client.port, client.address);
  });
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.once('data', (framed) => {
      const answer = answerName(Buffer.from(framed).subarray(2), false);
      const size = Buffer.alloc(2);
      size.writeUInt16BE(answer.length);
      connection.end(Buffer.concat([size, answer]));
    });
  });
  socket.bind(53, address, () => server.listen(53, address, () => console.log('listening')));
}

/** RFC 1035, 4.1: the header and the question are given back, with one A record where an A was asked for. */
function answerName(query: Buffer, isCut: boolean): Buffer {
  const typeAt = query.indexOf(0, 12) + 1;
  const question = query.subarray(12, typeAt + 4);
  const answer =
    query.readUInt16BE(typeAt) === 1 && !isCut
      ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...ANSWER])
      : Buffer.alloc(0);
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(isCut ? 0x8780 : 0x8580, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answer.length > 0 ? 1 : 0, 6);
  return Buffer.concat([header, question, answer]);
}

async function ask(): Promise<void> {
  const resolver = new Resolver({ timeout: CONNECT_TIMEOUT_MS, tries: 1 });
  resolver.setServers([address]);
  try {
    console.log((await resolver.resolve4(rest[0] ?? 'guest.example.test')).join(' '));
  } catch (error) {
    console.log(errorCode(error) ?? String(error));
  }
}
