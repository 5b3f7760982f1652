/** Which engine and accelerator guests would get here, and what is known of KVM. Pure. */
import type { Config } from '../../contracts/config.ts';
import type { DoctorCheck } from '../../contracts/doctor.ts';
import type { EngineName } from '../../contracts/vm.ts';
import { type Candidate, decide, deviceRefusal, nameOf, probeRefusal, type Tried } from '../engines/engine-choice.ts';
import type { KvmFinding, Refusal } from '../engines/ports.ts';
import type { DeviceState } from './ports.ts';

/** An engine that this version has, as it is on this host. */
export interface EngineFact {
  readonly name: EngineName;
  /** Why its program cannot be run; undefined where it can. */
  readonly refusal: Refusal | undefined;
  /** What was found last, since the host was booted, when a guest was to run on KVM; undefined where nobody tried. */
  readonly finding: KvmFinding | undefined;
}

/** @param settings of the config. */
export function checkEngines(
  settings: Pick<Config, 'engine' | 'accelerator'>,
  engines: readonly EngineFact[],
  kvmDevice: DeviceState,
): DoctorCheck[] {
  return [checkChoice(settings, engines, kvmDevice), checkKvm(settings, engines, kvmDevice)];
}

function checkChoice(
  settings: Pick<Config, 'engine' | 'accelerator'>,
  engines: readonly EngineFact[],
  kvmDevice: DeviceState,
): DoctorCheck {
  const tried: Tried[] = [];
  for (;;) {
    const decision = decide(settings, tried);
    switch (decision.state) {
      case 'ask':
        tried.push({ candidate: decision.candidate, refusal: refusalOf(decision.candidate, engines, kvmDevice) });
        break;
      case 'none':
        return { name: 'engine', outcome: 'failed', message: decision.error.message, fix: decision.error.hint };
      case 'chosen': {
        const { candidate } = decision;
        const isGuess = candidate.accelerator === 'kvm' && factOf(candidate, engines)?.finding === undefined;
        const condition = isGuess
          ? ', if guests boot on it: the first start finds out, or `banger doctor --probe`'
          : '';
        return { name: 'engine', outcome: 'ok', message: `Guests run on ${nameOf(candidate)}${condition}` };
      }
    }
  }
}

/** What was found of KVM, also where it is not used. */
function checkKvm(
  { accelerator }: Pick<Config, 'accelerator'>,
  engines: readonly EngineFact[],
  kvmDevice: DeviceState,
): DoctorCheck {
  const name = 'accelerator';
  if (accelerator === 'tcg') return { name, outcome: 'ok', message: 'accelerator = "tcg": KVM is not asked for' };
  const findings = engines.flatMap(({ finding }) => finding ?? []);
  const best = findings.find(({ usable }) => usable) ?? findings[0];
  const refusal = deviceRefusal(kvmDevice) ?? (best && probeRefusal(best));
  const found = best && deviceRefusal(kvmDevice) === undefined ? `, ${seconds(best)}` : '';
  if (refusal) {
    const { reason, detail, hint } = refusal;
    const message = `${reason}${detail === undefined ? '' : `: ${detail}`}${found}`;
    // Where the config forbids all else, the check of the engine fails by it: one fault is told of once.
    return { name, outcome: 'ok', message, fix: hint };
  }
  if (best) return { name, outcome: 'ok', message: `Guests boot on KVM: ${best.reason}${found}` };
  return {
    name,
    outcome: 'ok',
    message:
      '/dev/kvm opens, which proves nothing: a guest is booted on it before it is used; `banger doctor --probe` does it now',
  };
}

function refusalOf(candidate: Candidate, engines: readonly EngineFact[], kvmDevice: DeviceState): Refusal | undefined {
  const fact = factOf(candidate, engines);
  if (!fact)
    return { reason: 'this version of banger has no such engine', hint: 'set `engine = "auto"` in the config' };
  if (fact.refusal || candidate.accelerator !== 'kvm') return fact.refusal;
  return deviceRefusal(kvmDevice) ?? (fact.finding && probeRefusal(fact.finding));
}

function factOf({ engine }: Candidate, engines: readonly EngineFact[]): EngineFact | undefined {
  return engines.find(({ name }) => name === engine);
}

function seconds({ tookMs, at }: KvmFinding): string {
  return `found in ${(tookMs / 1000).toFixed(1)} s at ${at}`;
}
