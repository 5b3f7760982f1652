import type { AgentPorts } from '../../src/contracts/agent-messages.ts';
import type { PortsList } from './ports-list.ts';
import type { Sys } from './sys.ts';

const INTERVAL_MS = 1_000;

export interface PortsListener {
  onPorts(ports: AgentPorts): void;
}

/** Tells listeners what listens, at once and after each change; looks only while somebody asks. */
export class PortsWatch {
  readonly #sys: Sys;
  readonly #list: PortsList;
  /** What each was told last, as JSON. */
  readonly #told = new Map<PortsListener, string>();
  #cancel: (() => void) | undefined;

  constructor(sys: Sys, list: PortsList) {
    this.#sys = sys;
    this.#list = list;
  }

  add(listener: PortsListener): void {
    this.#told.set(listener, '');
    // After the reply that says that the watch is on.
    this.#lookIn(0);
  }

  remove(listener: PortsListener): void {
    this.#told.delete(listener);
    if (this.#told.size === 0) this.#stop();
  }

  #lookIn(delayMs: number): void {
    this.#stop();
    this.#cancel = this.#sys.after(delayMs, () => this.#look());
  }

  #look(): void {
    this.#lookIn(INTERVAL_MS);
    const ports = this.#list.current();
    const text = JSON.stringify(ports);
    for (const [listener, told] of this.#told) {
      if (told === text) continue;
      this.#told.set(listener, text);
      listener.onPorts(ports);
    }
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
