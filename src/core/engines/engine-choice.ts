/** Which engine on which accelerator: the order, who is refused and why, and what is said about it. Pure. */
import type { Config } from '../../contracts/config.ts';
import { formatSize } from '../../contracts/size.ts';
import type { Accelerator, EngineName } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import type { DeviceState } from '../doctor/ports.ts';
import type { EngineCapabilities } from '../vms/engine.ts';
import type { ProbeOutcome, Refusal } from './ports.ts';

/** `engine` and `accelerator` of the config. */
export type EngineSettings = Pick<Config, 'engine' | 'accelerator'>;

export interface Candidate {
  readonly engine: EngineName;
  readonly accelerator: Accelerator;
}

/** A candidate that was looked at, and why it cannot be used; undefined where it can. */
export interface Tried {
  readonly candidate: Candidate;
  readonly refusal: Refusal | undefined;
}

export type Decision =
  | { readonly state: 'ask'; readonly candidate: Candidate }
  | { readonly state: 'chosen'; readonly candidate: Candidate; readonly notice: string | undefined }
  | { readonly state: 'none'; readonly error: AppError };

/** The best first. Firecracker runs guests on KVM and on nothing else. */
const CANDIDATES: readonly Candidate[] = [
  { engine: 'firecracker', accelerator: 'kvm' },
  { engine: 'qemu', accelerator: 'kvm' },
  { engine: 'qemu', accelerator: 'tcg' },
];

const ENGINE_WORDS: Readonly<Record<EngineName, string>> = { firecracker: 'Firecracker', qemu: 'QEMU' };
const ACCELERATOR_WORDS: Readonly<Record<Accelerator, string>> = { kvm: 'on KVM', tcg: 'in software' };

/** The first candidate that is not refused, the next one to look at, or the error that there is none. */
export function decide(settings: EngineSettings, tried: readonly Tried[]): Decision {
  const last = tried.at(-1);
  if (last && !last.refusal) {
    return { state: 'chosen', candidate: last.candidate, notice: softwareNotice(settings, tried) };
  }
  const next = candidatesOf(settings)[tried.length];
  return next ? { state: 'ask', candidate: next } : { state: 'none', error: noEngine(settings, tried) };
}

/** What the config leaves, in the order it is tried. */
export function candidatesOf({ engine, accelerator }: EngineSettings): readonly Candidate[] {
  return CANDIDATES.filter(
    (candidate) =>
      (engine === 'auto' || candidate.engine === engine) &&
      (accelerator === 'auto' || candidate.accelerator === accelerator),
  );
}

/** Said where guests run in software though nobody asked for it. */
function softwareNotice(settings: EngineSettings, tried: readonly Tried[]): string | undefined {
  const chosen = tried.at(-1)?.candidate;
  const refusal = tried.findLast(({ candidate }) => candidate.accelerator === 'kvm')?.refusal;
  if (settings.accelerator !== 'auto' || chosen?.accelerator !== 'tcg' || !refusal) return undefined;
  return `guests run in software (10 times slower): ${refusal.reason}; to get faster: ${refusal.hint}`;
}

function noEngine({ engine, accelerator }: EngineSettings, tried: readonly Tried[]): AppError {
  const refusals = tried.flatMap(({ candidate, refusal }) => (refusal ? [{ candidate, refusal }] : []));
  const first = refusals[0];
  if (!first) {
    return new AppError('ENGINE_UNAVAILABLE', `engine = "${engine}" cannot run with accelerator = "${accelerator}".`, {
      hint: 'Firecracker runs guests on KVM only: set engine to "qemu" or "auto", or accelerator to "kvm".',
    });
  }
  const code = refusals.every(({ refusal }) => refusal.isOfKernel) ? 'KERNEL_INVALID' : 'ENGINE_UNAVAILABLE';
  const words = refusals.map(({ candidate, refusal }) => `${nameOf(candidate)}: ${inWords(refusal)}`);
  const message = words.length === 1 ? `${words[0]}.` : `No engine can run this VM. ${words.join('. ')}.`;
  // Each hint once, however many candidates it would help.
  const hints = [...new Set(refusals.map(({ refusal }) => refusal.hint))].map(sentence);
  const elsewhere = accelerator === 'kvm' && code !== 'KERNEL_INVALID' ? [SOFTWARE_HINT] : [];
  return new AppError(code, message, {
    hint: [...hints, ...elsewhere].join(' '),
    details: { tried: words },
  });
}

const SOFTWARE_HINT = 'Or set `accelerator = "auto"` in the config file: guests then run in software, 10 times slower.';

/** `QEMU on KVM`. */
export function nameOf({ engine, accelerator }: Candidate): string {
  return `${ENGINE_WORDS[engine]} ${ACCELERATOR_WORDS[accelerator]}`;
}

function inWords({ reason, detail }: Refusal): string {
  return detail === undefined ? reason : `${reason} (${detail})`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** What a machine asks of its engine. */
export interface MachineDemand {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernelFormat: EngineCapabilities['kernelFormats'][number];
}

/** Why an engine cannot have such a machine; undefined where it can. */
export function demandRefusal(
  capabilities: EngineCapabilities,
  demand: MachineDemand,
  host: { readonly memoryBytes: number },
): Refusal | undefined {
  const { cpus, memoryBytes, kernelFormat } = demand;
  if (cpus > capabilities.maxCpus) {
    return {
      reason: `it gives a VM ${capabilities.maxCpus} processors at most, and this one has ${cpus}`,
      hint: 'give the VM fewer processors',
    };
  }
  if (memoryBytes > host.memoryBytes) {
    return {
      reason: `the host has ${formatSize(host.memoryBytes)} of memory, and this VM would have ${formatSize(memoryBytes)}`,
      hint: 'give the VM less memory',
    };
  }
  if (capabilities.kernelFormats.includes(kernelFormat)) return undefined;
  return {
    reason: `it does not boot a kernel that is ${KERNEL_WORDS[kernelFormat]}`,
    hint: `give the image a kernel that is ${capabilities.kernelFormats.map((format) => KERNEL_WORDS[format]).join(' or ')}`,
    isOfKernel: true,
  };
}

const KERNEL_WORDS: Readonly<Record<MachineDemand['kernelFormat'], string>> = {
  bzimage: 'a bzImage',
  elf: 'an uncompressed vmlinux',
};

/** Why KVM need not be tried; undefined where its device opens, which proves nothing. */
export function deviceRefusal(state: DeviceState): Refusal | undefined {
  switch (state) {
    case 'usable':
      return undefined;
    case 'denied':
      return {
        reason: '/dev/kvm may not be opened by this user',
        hint: 'run `sudo usermod -aG kvm $USER` and log in again',
      };
    case 'missing':
      return {
        reason: '/dev/kvm is not there',
        hint: 'turn virtualisation on in the firmware or the hypervisor, and load kvm_intel or kvm_amd',
      };
    case 'broken':
      return {
        reason: '/dev/kvm cannot be opened',
        hint: 'see what the kernel says of it: sudo dmesg | grep -i kvm',
      };
  }
}

/** What a probe's finding means for a choice. */
export function probeRefusal({ usable, reason }: ProbeOutcome): Refusal | undefined {
  if (usable) return undefined;
  return {
    reason: '/dev/kvm opens, and no guest boots on it',
    detail: reason,
    hint: 'use a host whose KVM works; `banger doctor --probe` looks again',
  };
}
