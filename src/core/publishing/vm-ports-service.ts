import type { ListeningPort } from '../../contracts/agent-messages.ts';
import type { Vm } from '../../contracts/vm.ts';
import type { VmPort, VmPorts } from '../../contracts/vm-ports.ts';
import { AppError } from '../app-error.ts';
import type { LiveMachines } from '../vms/live-machines.ts';
import type { VmDirectory } from '../vms/vm-directory.ts';
import type { HttpProbe } from './http-probe.ts';
import { hostAddressOf, hostNameOf, type PublishingFacts } from './publishing-plan.ts';
import type { PublishingService } from './publishing-service.ts';

/** The agent reads a few files of /proc. */
const PORTS_TIMEOUT_MS = 10_000;
/** For all ports together: what has not answered by then has no link. */
const PROBES_TIMEOUT_MS = 6_000;

export interface VmPortsDependencies {
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly publishing: PublishingService;
  readonly probe: Pick<HttpProbe, 'answers'>;
  readonly facts: PublishingFacts;
  readonly namesEnabled: () => boolean;
}

/** `vm ports`: what listens in a guest now, and how the host reaches it. */
export class VmPortsService {
  readonly #deps: VmPortsDependencies;

  constructor(deps: VmPortsDependencies) {
    this.#deps = deps;
  }

  /** @throws AppError VM_NOT_FOUND, VM_STATE_INVALID; AGENT_UNREACHABLE where no agent answers, AGENT_FAILED. */
  async list(name: string, signal: AbortSignal): Promise<VmPorts> {
    const { directory, live, publishing, facts, namesEnabled } = this.#deps;
    const record = directory.record(name);
    directory.allow('ssh', record);
    const machine = live.get(record.id);
    if (!machine) throw new AppError('INTERNAL', `VM "${name}" runs and has no VMM.`);
    const heard = await machine.agent.request('ports', {}, { timeoutMs: PORTS_TIMEOUT_MS, signal });
    await publishing.refresh(record.id, heard, signal);
    const vm = directory.view(record);
    const hostAddress = hostAddressOf(vm.address, facts);
    return {
      vmName: vm.name,
      hostName: hostNameOf(vm.name),
      ...(hostAddress !== undefined && { hostAddress }),
      namesEnabled: namesEnabled(),
      ports: await Promise.all(heard.listening.map((port) => this.#describe(vm, port, signal))),
      truncated: heard.truncated,
    };
  }

  async #describe(vm: Vm, listening: ListeningPort, signal: AbortSignal): Promise<VmPort> {
    const { protocol, address, port, process, pid } = listening;
    const refusal = this.#deps.publishing.refusal(vm, listening);
    const link = refusal === undefined ? await this.#link(vm, listening, signal) : undefined;
    return {
      protocol,
      address,
      port,
      ...(process !== undefined && { process }),
      ...(pid !== undefined && { pid }),
      reachable: refusal === undefined,
      ...(refusal !== undefined && { refusal }),
      ...(link !== undefined && { link }),
    };
  }

  async #link(vm: Vm, { port, pid }: ListeningPort, signal: AbortSignal): Promise<string | undefined> {
    const { probe, facts } = this.#deps;
    const hostName = hostNameOf(vm.name);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PROBES_TIMEOUT_MS)]);
    try {
      if (!(await probe.answers({ address: vm.address, port, hostName, pid }, deadline))) return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) return undefined;
      throw error;
    }
    const host = facts.mode === 'host' ? vm.address : hostName;
    return port === 80 ? `http://${host}` : `http://${host}:${port}`;
  }
}
