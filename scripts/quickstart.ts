/**
 * The whole way through `bin/banger`: a first Debian image, an image built from it inside a VM, a VM from that, and
 * what a command says inside. What exists is reused.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { imageSchema } from '../src/contracts/image.ts';
import { type Operation, operationSchema } from '../src/contracts/operation.ts';
import { vmSchema } from '../src/contracts/vm.ts';
import { attach, run } from '../src/host/process.ts';
import { bangerCommand, type Step, summaryLines } from './quickstart/summary.ts';

const BANGER = join(import.meta.dirname, '..', 'bin', 'banger');
const BASE = 'debian';
const VM = 'hello';
/** What each preset makes, beside the name of its image. */
const PRESETS = {
  minimal: { image: 'first', flags: ['--package', 'git', '--package', 'curl', '--package', 'tmux'] },
  dev: { image: 'dev', flags: ['--size', '8G'] },
} as const;
const INSIDE =
  'echo "Hello from $(hostname): $(. /etc/os-release; echo "$PRETTY_NAME"), kernel $(uname -r)"; git --version';
const ASK_TIMEOUT_MS = 120_000;

const startedAt = performance.now();
const { values } = parseArgs({ options: { preset: { type: 'string', default: 'minimal' } } });
const preset = PRESETS[values.preset === 'dev' ? 'dev' : 'minimal'];
if (values.preset !== 'dev' && values.preset !== 'minimal') stop(`--preset ${values.preset}: give minimal or dev`, 2);

title('Can this host run VMs?');
await banger('doctor');
const steps: Step[] = [
  await ensureImage(BASE, ['image', 'bootstrap', BASE]),
  await ensureImage(preset.image, [
    'image',
    'build',
    preset.image,
    '--from',
    BASE,
    '--preset',
    values.preset,
    ...preset.flags,
  ]),
  await ensureVm(),
];
title(`What a command says inside ${VM}`);
await banger('vm', 'ssh', VM, '--', INSIDE);
title('What there is now');
const command = bangerCommand(BANGER, process.cwd(), process.env['BANGER_HOME']);
const tookMs = performance.now() - startedAt;
process.stdout.write(summaryLines({ steps, vm: VM, image: preset.image, command, tookMs }).join('\n'));

async function ensureImage(name: string, command: readonly string[]): Promise<Step> {
  title(`Image ${name}`);
  const what = `image ${name}`;
  const found = await ask('image', 'show', name);
  if (found !== undefined) {
    process.stdout.write('It is there already.\n');
    return { what, operation: undefined };
  }
  await banger(...command);
  const { provenance } = imageSchema.parse(await ask('image', 'show', name));
  return { what, operation: await operation(({ id }) => id === provenance.operationId) };
}

async function ensureVm(): Promise<Step> {
  title(`VM ${VM} from image ${preset.image}`);
  const what = `VM ${VM}`;
  const found = vmSchema.optional().parse(await ask('vm', 'show', VM));
  if (found?.state === 'running') {
    process.stdout.write('It runs already.\n');
    return { what, operation: undefined };
  }
  if (found) await banger('vm', 'start', VM);
  else await banger('vm', 'create', '--name', VM, '--image', preset.image, '--nat');
  return { what, operation: await operation(({ kind, target }) => kind.startsWith('vm.') && target === VM) };
}

/** The newest operation that fits. */
async function operation(fits: (operation: Operation) => boolean): Promise<Operation | undefined> {
  return operationSchema
    .array()
    .parse(await ask('op', 'list'))
    .find(fits);
}

/** A command on this terminal; quickstart ends where it fails, for it has said why. */
async function banger(...args: readonly string[]): Promise<void> {
  const status = await attach([BANGER, ...args]);
  if (status !== 0) stop(`banger ${args.slice(0, 2).join(' ')} ended with status ${status}`, status);
}

/** A command's JSON; undefined where it fails, as `show` does for what is not there. */
async function ask(...args: readonly string[]): Promise<unknown> {
  const { exitStatus, stdout, stderr } = await run([BANGER, ...args, '--json'], {
    okStatuses: [0, 1],
    timeoutMs: ASK_TIMEOUT_MS,
  });
  if (exitStatus === 0) return JSON.parse(stdout);
  if (!stderr.includes('_NOT_FOUND')) stop(`banger ${args.join(' ')} failed:\n${stderr}`, 1);
  return undefined;
}

function title(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

function stop(message: string, status: number): never {
  process.stderr.write(`quickstart: ${message}\n`);
  process.exit(status);
}
