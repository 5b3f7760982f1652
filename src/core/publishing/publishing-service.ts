import type { AgentPorts, ListeningPort } from '../../contracts/agent-messages.ts';
import type { Vm } from '../../contracts/vm.ts';
import type { PortRefusal } from '../../contracts/vm-ports.ts';
import { describe } from '../app-error.ts';
import type { AgentLink } from '../vms/agent-link.ts';
import type { LiveMachines } from '../vms/live-machines.ts';
import type { VmDirectory } from '../vms/vm-directory.ts';
import { Pacer } from '../pacer.ts';
import type { Forwarder } from './ports.ts';
import { hostAddressOf, planForwarding, portsToPublish, type PublishingFacts, refusalOf } from './publishing-plan.ts';

/** Between two orders: a guest whose ports come and go keeps the host no busier than this. */
const ORDER_INTERVAL_MS = 200;
/** For the forwarder to do what it was told, when somebody waits to see it. */
const REPORT_TIMEOUT_MS = 3_000;

export interface PublishingDependencies {
  readonly directory: Pick<VmDirectory, 'list'>;
  readonly live: Pick<LiveMachines, 'onStart'>;
  /** Undefined where `[network] publish_ports` is off. */
  readonly forwarder: Forwarder | undefined;
  readonly facts: PublishingFacts;
  /** Whether the host's resolver was told of the names: they are answered then though no VM runs. */
  readonly namesEnabled: () => boolean;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
}

/** Has the forwarder publish what listens in the guests that run, and answer for the names of all VMs. */
export class PublishingService {
  readonly #deps: PublishingDependencies;
  readonly #pacer: Pacer;
  /** What ends the watching of each VM that runs. */
  readonly #watched = new Map<string, () => void>();
  readonly #listening = new Map<string, AgentPorts>();
  #revision = 0;
  #lastPlan = '';

  constructor(deps: PublishingDependencies) {
    this.#deps = deps;
    this.#pacer = new Pacer(() => this.#order(), ORDER_INTERVAL_MS);
    if (deps.forwarder) deps.live.onStart((vmId, { agent, ended }) => this.#watch(vmId, agent, ended));
  }

  /** Something about VMs or names has changed: what shall be is told anew, soon. */
  changed(): void {
    if (this.#deps.forwarder) this.#pacer.ask();
  }

  /** Takes the guest's word of this moment, and waits until the forwarder has acted on it; not for long. */
  async refresh(vmId: string, ports: AgentPorts, signal: AbortSignal): Promise<void> {
    const { forwarder, log } = this.#deps;
    if (!forwarder || !this.#watched.has(vmId)) return;
    this.#listening.set(vmId, ports);
    // Also where nothing is new: what failed is tried again.
    this.#lastPlan = '';
    this.#pacer.doNow();
    try {
      await forwarder.reported(this.#revision, AbortSignal.any([signal, AbortSignal.timeout(REPORT_TIMEOUT_MS)]));
    } catch (error) {
      signal.throwIfAborted();
      log('The forwarder does not report in time', { error: describe(error) });
    }
  }

  /** @returns why the host does not reach a guest's port; undefined where it does. */
  refusal(vm: Pick<Vm, 'id' | 'address'>, port: ListeningPort): PortRefusal | undefined {
    const { facts } = this.#deps;
    const refusal = refusalOf(port, vm.address);
    if (refusal || facts.mode === 'host') return refusal;
    const hostAddress = hostAddressOf(vm.address, facts);
    if (hostAddress === undefined) return 'no-address';
    return this.#forwarding(vm, hostAddress, port.port);
  }

  #forwarding(vm: Pick<Vm, 'id' | 'address'>, hostAddress: string, port: number): PortRefusal | undefined {
    const { forwarder } = this.#deps;
    if (!forwarder) return 'switched-off';
    const heard = this.#listening.get(vm.id);
    if (!heard) return 'not-yet';
    if (!portsToPublish(heard, vm.address).includes(port)) return 'too-many-ports';
    const { state } = forwarder;
    if (state.kind === 'gone') return 'forwarder-gone';
    if (state.kind !== 'reporting' || state.report.revision < this.#revision) return 'not-yet';
    return state.report.faults.find((found) => found.address === hostAddress && found.port === port)?.fault;
  }

  close(): void {
    this.#pacer.close();
    for (const unwatch of this.#watched.values()) unwatch();
    this.#deps.forwarder?.close();
  }

  #watch(vmId: string, agent: AgentLink, ended: AbortSignal): void {
    this.#forget(vmId);
    const unwatch = agent.watchPorts((ports) => {
      this.#listening.set(vmId, ports);
      this.changed();
    });
    this.#watched.set(vmId, unwatch);
    ended.addEventListener('abort', () => {
      // It may have been started anew before the end of the one before was heard of.
      if (this.#watched.get(vmId) === unwatch) this.#forget(vmId);
    });
    this.changed();
  }

  #forget(vmId: string): void {
    this.#watched.get(vmId)?.();
    this.#watched.delete(vmId);
    this.#listening.delete(vmId);
    this.changed();
  }

  #order(): void {
    const { forwarder, directory, facts, namesEnabled } = this.#deps;
    if (!forwarder) return;
    if (this.#watched.size === 0 && !namesEnabled()) {
      this.#lastPlan = '';
      forwarder.rest();
      return;
    }
    const plan = planForwarding(directory.list(), this.#listening, facts);
    const text = JSON.stringify(plan);
    if (text === this.#lastPlan) return;
    this.#lastPlan = text;
    this.#revision += 1;
    forwarder.order({ ...plan, revision: this.#revision });
  }
}
