/**
 * Stands in for QEMU in tests: takes its options, serves its control protocol, writes a guest's first words to the
 * console, and fails in every way a plan asks for. Started by the script that `installFakeQemu` writes:
 * `node fake-qemu.ts DIR [QEMU's own options]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, openSync, readFileSync, rmSync, watch, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FAKE_FILES, type FakePhase, type FakeQemuPlan, type FakeVerb } from './fake-plan.ts';

const GREETING = {
  QMP: { version: { qemu: { micro: 22, minor: 2, major: 7 }, package: 'fake' }, capabilities: ['oob'] },
};
const STUCK = ['Linux version 6.1.0-fake', 'tsc: Marking TSC unstable due to could not calculate TSC khz'];
const MAX_LINE_BYTES = 1024 * 1024;

function main(): void {
  const [dir = '.', ...argv] = process.argv.slice(2);
  if (argv[0] === '--version') {
    process.stdout.write('QEMU emulator version 7.2.22 (fake)\n');
    return;
  }
  const starts = join(dir, FAKE_FILES.starts);
  appendFileSync(starts, `${JSON.stringify({ pid: process.pid, argv })}\n`);
  const plan = JSON.parse(readFileSync(join(dir, FAKE_FILES.plan), 'utf8')) as FakeQemuPlan;
  if (plan.exitAtOnce) {
    process.stderr.write(`${plan.exitAtOnce.stderr}\n`);
    process.exitCode = plan.exitAtOnce.status;
    return;
  }
  const bootNumber = readFileSync(starts, 'utf8').trimEnd().split('\n').length;
  new FakeQemu(plan, parseOptions(argv), { dir, bootNumber }).run();
}

interface FakeOptions {
  readonly vmId: string;
  readonly kernelArgs: string;
  readonly consolePath: string;
  readonly socketPath: string;
  readonly agentSocketPath: string;
  readonly diskPath: string;
  readonly tapName: string;
  readonly macAddress: string;
}

function parseOptions(argv: readonly string[]): FakeOptions {
  const valuesOf = (option: string): string[] =>
    argv.flatMap((word, index) => (word === option ? [argv[index + 1] ?? ''] : []));
  const setting = (option: string, marker: string, key: string): string => {
    const value = valuesOf(option).find((text) => text.includes(marker)) ?? '';
    // One comma ends a value, two are one.
    const found = new RegExp(`(?:^|,)${key}=((?:[^,]|,,)*)`).exec(value)?.[1];
    if (found === undefined) throw new Error(`the fake finds no ${key} in the options ${option}`);
    return found.replaceAll(',,', ',');
  };
  return {
    vmId: valuesOf('-name')[0] ?? '',
    kernelArgs: valuesOf('-append')[0] ?? '',
    consolePath: setting('-chardev', 'id=console', 'path'),
    socketPath: setting('-chardev', 'id=control', 'path'),
    agentSocketPath: setting('-chardev', 'id=agent', 'path'),
    diskPath: setting('-drive', 'if=none', 'file'),
    tapName: setting('-netdev', 'id=nic0', 'ifname'),
    macAddress: setting('-device', 'virtio-net-device', 'mac'),
  };
}

class FakeQemu {
  readonly #plan: FakeQemuPlan;
  readonly #options: FakeOptions;
  readonly #dir: string;
  readonly #bootNumber: number;
  readonly #console: number;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #client: Socket | undefined;
  #status = 'prelaunch';
  #guest: ChildProcess | undefined;

  constructor(plan: FakeQemuPlan, options: FakeOptions, start: { readonly dir: string; readonly bootNumber: number }) {
    this.#plan = plan;
    this.#options = options;
    this.#dir = start.dir;
    this.#bootNumber = start.bootNumber;
    this.#console = openSync(options.consolePath, 'w');
    this.#server = createServer((socket) => {
      this.#waiting.push(socket);
      this.#serveNext();
    });
  }

  run(): void {
    process.on('SIGTERM', () => {
      if (!this.#plan.ignoreSigterm) this.#shutDown('host-signal');
    });
    watch(join(this.#dir, FAKE_FILES.commands), (_change, name) => {
      const [, vmId, verb] = (name ?? '').split('.');
      if (vmId === 'all' || vmId === this.#options.vmId) this.#obey(verb as FakeVerb);
    });
    // QEMU takes over a socket file that an earlier one left.
    rmSync(this.#options.socketPath, { force: true });
    if (this.#plan.control !== 'no-socket') this.#server.listen(this.#options.socketPath);
    // A guest without an agent: what is said to it is kept and never read.
    rmSync(this.#options.agentSocketPath, { force: true });
    createServer((socket) => socket.on('error', () => undefined)).listen(this.#options.agentSocketPath);
    this.#reach('started');
  }

  #reach(phase: FakePhase): void {
    appendFileSync(join(this.#dir, FAKE_FILES.phases), `${phase}\n`);
  }

  /** One client at a time; the others wait, connected and without a greeting. */
  #serveNext(): void {
    if (this.#client) return;
    const socket = this.#waiting.shift();
    if (!socket) return;
    this.#client = socket;
    this.#reach('connected');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#client = undefined;
      this.#serveNext();
    });
    if (this.#plan.control === 'silent') return;
    if (this.#plan.control === 'garbage' || this.#plan.control === 'endless-line') this.#obey(this.#plan.control);
    else this.#send(GREETING);
    createInterface({ input: socket }).on('line', (line) => {
      const { execute, id } = JSON.parse(line) as { execute: string; id: number };
      this.#answer(execute, id);
    });
  }

  #answer(command: string, id: number): void {
    switch (command) {
      case 'qmp_capabilities':
        this.#send({ return: {}, id });
        break;
      case 'query-name':
        this.#send({ return: { name: this.#options.vmId }, id });
        break;
      case 'query-status':
        this.#send({ return: { status: this.#status, singlestep: false, running: this.#status === 'running' }, id });
        break;
      case 'cont':
        if (this.#plan.control === 'refuse-cont') {
          this.#send({ error: { class: 'GenericError', desc: 'the plan refuses cont' }, id });
          break;
        }
        this.#event('RESUME');
        this.#send({ return: {}, id });
        this.#status = 'running';
        this.#reach('running');
        this.#boot();
        break;
      case 'system_powerdown':
        this.#send({ return: {}, id });
        this.#event('POWERDOWN');
        this.#pressPowerButton();
        break;
      case 'quit':
        this.#send({ return: {}, id });
        this.#shutDown('host-qmp-quit');
        break;
      default:
        this.#send({ error: { class: 'CommandNotFound', desc: `The command ${command} has not been found` }, id });
    }
  }

  #boot(): void {
    const { silentBoots = 0, stuckBoots = 0, afterCont, guestScript } = this.#plan;
    if (afterCont) {
      this.#obey(afterCont);
      return;
    }
    if (this.#bootNumber <= silentBoots) return;
    if (this.#bootNumber <= stuckBoots) {
      writeSync(this.#console, STUCK.map((words) => `[    0.000000] ${words}\r\n`).join(''));
      return;
    }
    writeSync(this.#console, '[    0.000000] Linux version 6.1.0-fake\r\n[    0.152000] printk: console enabled\r\n');
    if (guestScript !== undefined) this.#startGuest(guestScript);
  }

  #startGuest(script: string): void {
    const { vmId, kernelArgs, diskPath, tapName, macAddress } = this.#options;
    // However this process ends, its guest ends with it.
    const guest = spawn('setpriv', ['--pdeathsig', 'KILL', '/bin/sh', script], {
      stdio: ['ignore', this.#console, this.#console],
      env: {
        ...process.env,
        FAKE_VM: vmId,
        FAKE_KERNEL_ARGS: kernelArgs,
        FAKE_DISK: diskPath,
        FAKE_TAP: tapName,
        FAKE_MAC: macAddress,
      },
    });
    this.#guest = guest;
    guest.on('exit', (status) => {
      this.#guest = undefined;
      if (status === 0) this.#shutDown('guest-shutdown');
      else this.#shutDown(status === 2 ? 'guest-reset' : 'guest-panic');
    });
  }

  #pressPowerButton(): void {
    if (this.#plan.powerButton === 'ignored') return;
    if (this.#guest) this.#guest.kill('SIGTERM');
    else this.#shutDown('guest-shutdown');
  }

  #obey(verb: FakeVerb): void {
    switch (verb) {
      case 'guest-shutdown':
      case 'guest-reset':
      case 'guest-panic':
        this.#shutDown(verb);
        break;
      case 'crash':
        process.stderr.write('fake: Assertion `plan == crash` failed.\n');
        process.kill(process.pid, 'SIGABRT');
        break;
      case 'garbage':
        this.#client?.write('this is no JSON\n');
        break;
      case 'endless-line':
        this.#client?.write(Buffer.alloc(MAX_LINE_BYTES + 1, 0x61));
        break;
      case 'close-control':
        this.#client?.destroy();
        break;
    }
  }

  #shutDown(reason: string): void {
    if (this.#status === 'shutdown') return;
    this.#status = 'shutdown';
    this.#guest?.removeAllListeners('exit');
    this.#guest?.kill('SIGKILL');
    this.#event('SHUTDOWN', { guest: reason.startsWith('guest'), reason });
    rmSync(this.#options.socketPath, { force: true });
    const end = (): void => process.exit(0);
    if (this.#client) this.#client.end(end);
    else end();
  }

  #event(event: string, data: Readonly<Record<string, unknown>> = {}): void {
    const seconds = Math.floor(Date.now() / 1000);
    this.#send({ timestamp: { seconds, microseconds: 0 }, event, data });
  }

  #send(message: object): void {
    this.#client?.write(`${JSON.stringify(message)}\r\n`);
  }
}

main();
