import { SingleFlight } from '../single-flight.ts';
import { deviceRefusal, probeRefusal } from './engine-choice.ts';
import type { EngineDriver, KvmFinding, KvmHost, ProbeMemory, Refusal } from './ports.ts';

export interface KvmProbingDependencies {
  readonly host: KvmHost;
  readonly memory: ProbeMemory;
  readonly now: () => Date;
  /** Told of each probe that was made. */
  readonly onProbed?: (finding: KvmFinding) => void;
}

/**
 * Whether guests boot on this host's KVM. That /dev/kvm opens is no proof: there are hosts on which it does and no guest
 * gets past its first instructions. So one is booted, once per boot of the host, program and kernel.
 */
export class KvmProbing {
  readonly #deps: KvmProbingDependencies;
  readonly #flights = new SingleFlight<KvmFinding>();

  constructor(deps: KvmProbingDependencies) {
    this.#deps = deps;
  }

  /**
   * Why guests with this kernel cannot run on KVM; undefined where they can. Boots one where that is not known yet.
   *
   * @throws the reason of `signal`; the file system's error where program or kernel cannot be read.
   */
  async refusal(driver: EngineDriver, kernelPath: string, signal: AbortSignal): Promise<Refusal | undefined> {
    const refused = deviceRefusal(await this.#deps.host.device());
    if (refused) return refused;
    const key = await this.#keyOf(driver, kernelPath, signal);
    const known = (await this.#deps.memory.list()).findLast((finding) => isFor(finding, key));
    return probeRefusal(known ?? (await this.#probeOnce(driver, key, signal)));
  }

  /** What was found last with a driver's program as it is now. */
  async recall(driver: EngineDriver): Promise<KvmFinding | undefined> {
    const programStamp = await driver.programStamp();
    const findings = await this.#deps.memory.list();
    return findings.findLast((found) => found.engine === driver.name && found.programStamp === programStamp);
  }

  /** Boots a guest whatever is known, and remembers what comes of it. As `refusal` otherwise. */
  async probeAnew(driver: EngineDriver, kernelPath: string, signal: AbortSignal): Promise<KvmFinding> {
    return this.#probeOnce(driver, await this.#keyOf(driver, kernelPath, signal), signal);
  }

  async #keyOf(driver: EngineDriver, kernelPath: string, signal: AbortSignal): Promise<ProbeKey> {
    const kernelDigest = await this.#deps.host.kernelDigest(kernelPath, signal);
    return { engine: driver.name, programStamp: await driver.programStamp(), kernelDigest, kernelPath };
  }

  /** Many may ask at once; one guest answers them all. */
  #probeOnce(driver: EngineDriver, key: ProbeKey, signal: AbortSignal): Promise<KvmFinding> {
    const { engine, programStamp, kernelDigest } = key;
    const name = [engine, programStamp, kernelDigest].join(' ');
    const waiter = { log: () => undefined, signal };
    return this.#flights.run(name, (_log, limit) => this.#probe(driver, key, limit), waiter);
  }

  async #probe(driver: EngineDriver, key: ProbeKey, signal: AbortSignal): Promise<KvmFinding> {
    const { memory, now, onProbed } = this.#deps;
    const at = now().toISOString();
    const startedMs = performance.now();
    const outcome = await driver.kvmProbe.probe(key.kernelPath, signal);
    const finding = { ...key, ...outcome, tookMs: Math.round(performance.now() - startedMs), at };
    await memory.remember(finding);
    onProbed?.(finding);
    return finding;
  }
}

type ProbeKey = Pick<KvmFinding, 'engine' | 'programStamp' | 'kernelDigest' | 'kernelPath'>;

function isFor(finding: KvmFinding, { engine, programStamp, kernelDigest }: ProbeKey): boolean {
  return finding.engine === engine && finding.programStamp === programStamp && finding.kernelDigest === kernelDigest;
}
