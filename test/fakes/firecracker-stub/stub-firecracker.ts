/**
 * Stands in for Firecracker where only the driver's own ways are tested: it takes every body, has no guest, and obeys its
 * plan. `node stub-firecracker.ts DIR ARG...`.
 */
import { appendFileSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { ROOT_VARIABLE, STUB_FILES, type StubPlan } from './stub-plan.ts';

const [dir = '', ...argv] = process.argv.slice(2);
const root = process.env[ROOT_VARIABLE] ?? '/';
const plan = JSON.parse(readFileSync(join(dir, STUB_FILES.plan), 'utf8')) as StubPlan;
const { version = '1.15.1' } = plan;

const config = { drives: [] as object[], nics: [] as object[] } as Record<string, object[] | object | undefined>;
let state: 'Not started' | 'Running' | 'Paused' = 'Not started';
/** Open for good, and written over from its beginning. */
let consoleFile: number | undefined;

if (argv.includes('--version')) {
  console.log(`Firecracker v${version}`);
} else {
  start();
}

function start(): void {
  appendFileSync(join(dir, STUB_FILES.starts), `${JSON.stringify({ pid: process.pid, argv })}\n`);
  if (plan.exitAtOnce) {
    process.stderr.write(plan.exitAtOnce.stderr);
    process.exit(plan.exitAtOnce.status);
  }
  setInterval(() => undefined, 60_000);
  if (plan.isDeaf) return;
  const socketPath = inRoot(argv[argv.indexOf('--api-sock') + 1] ?? '');
  const server = createServer((request, response) => void serve(request, response)).listen(short(socketPath));
  if (!plan.isFickle) return;
  server.on('connection', (socket) => {
    // The daemon's first connection speaks at once; the one that only watches never does.
    const silence = setTimeout(() => {
      server.close();
      server.closeAllConnections();
    }, 300);
    socket.once('data', () => clearTimeout(silence));
  });
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, string>;
  const name = `${request.method} ${request.url}${body['action_type'] ? ` ${body['action_type']}` : ''}`;
  appendFileSync(join(dir, STUB_FILES.requests), `${JSON.stringify({ name, body })}\n`);
  if (plan.hang?.includes(name)) return;
  const death = plan.die?.[name];
  if (typeof death === 'number') process.exit(death);
  if (death !== undefined) process.kill(process.pid, death);
  const fault = plan.refuse?.[name];
  if (fault !== undefined) return answer(response, 400, { fault_message: fault });
  if (request.method === 'GET') return answer(response, 200, read(request.url ?? ''));
  if (!plan.noEffect?.includes(name)) apply(name, body);
  answer(response, 204);
}

function answer(response: ServerResponse, status: number, body?: object): void {
  response.statusMessage = '';
  response.sendDate = false;
  response.writeHead(status, body ? { 'Content-Type': 'application/json' } : {});
  response.end(body && JSON.stringify(body));
}

function read(url: string): object {
  if (url === '/version') return { firecracker_version: version };
  if (url === '/') return { id: argv[argv.indexOf('--id') + 1], state, vmm_version: version, app_name: 'Firecracker' };
  return { ...config, 'network-interfaces': config['nics'] };
}

function apply(name: string, body: Record<string, string>): void {
  if (name.startsWith('PUT /drives/')) (config['drives'] as object[]).push(body);
  else if (name.startsWith('PUT /network-interfaces/')) (config['nics'] as object[]).push(body);
  else if (name === 'PUT /machine-config' || name === 'PUT /boot-source') config[name.slice('PUT /'.length)] = body;
  else if (name === 'PUT /serial') consoleFile = openSync(inRoot(body['serial_out_path'] ?? ''), 'r+');
  else if (name === 'PUT /vsock') openVsock(body);
  else if (name === 'PUT /actions InstanceStart') boot();
  else if (name === 'PUT /actions SendCtrlAltDel') pressed();
  else if (name === 'PATCH /vm') state = body['state'] === 'Paused' ? 'Paused' : 'Running';
}

function openVsock(body: Record<string, string>): void {
  config['vsock'] = body;
  createSocketServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (line) => {
      socket.on('data', (chunk) => socket.write(chunk));
      socket.write(`OK 1073741824\nport ${String(line).trim().split(' ')[1]}\n`);
    });
  }).listen(short(inRoot(body['uds_path'] ?? '')));
}

function boot(): void {
  state = 'Running';
  const starts = readFileSync(join(dir, STUB_FILES.starts), 'utf8').trim().split('\n').length;
  if (starts <= (plan.silentBoots ?? 0)) return;
  print(plan.console ?? '[    0.000000] Linux version 6.1\n[    0.012000] console enabled\n');
}

function pressed(): void {
  if (plan.onCtrlAltDel === undefined) return;
  const words = plan.onCtrlAltDel === 'panic' ? 'Kernel panic - not syncing: sysrq' : 'reboot: Restarting system';
  print(`[    9.000000] ${words}\n`);
  setImmediate(() => process.exit(0));
}

function print(text: string): void {
  if (consoleFile !== undefined) writeSync(consoleFile, text);
}

function inRoot(path: string): string {
  return join(root, path);
}

/** A jail's sockets lie deeper than a socket's path may be long. */
function short(path: string): string {
  process.chdir(dirname(path));
  return relative(process.cwd(), path);
}
