import type { AgentMethod, AgentParams, AgentResult } from '../../src/contracts/agent-messages.ts';
import { setAddress, setHostname } from './identity.ts';
import { PARAMS } from './params.ts';
import type { PortsList } from './ports-list.ts';
import type { PortsListener, PortsWatch } from './ports-watch.ts';
import { powerOff } from './power-off.ts';
import type { Stages } from './stages.ts';
import { readStats } from './stats.ts';
import type { Sys } from './sys.ts';

/** What the agent knows and watches, shared by all who ask. */
export interface Guest {
  readonly sys: Sys;
  readonly stages: Stages;
  readonly ports: PortsList;
  readonly portsWatch: PortsWatch;
}

/** Who asks, and is told what listens while it watches. */
export interface Asker extends PortsListener {
  /** Calls back once everything said so far, this request's reply too, is on its way. */
  afterReply(callback: () => void): void;
}

type Methods = {
  readonly [Method in AgentMethod]: (
    guest: Guest,
    params: AgentParams<Method>,
    asker: Asker,
  ) => AgentResult<Method> | Promise<AgentResult<Method>>;
};

/** What each request does. */
const METHODS: Methods = {
  health({ sys, stages }) {
    const uptimeMs = sys.bootTimeMs();
    return { uptimeMs, stages: stages.times(uptimeMs) };
  },
  ports: ({ ports }) => ports.fresh(),
  watchPorts({ portsWatch }, { enabled }, asker) {
    if (enabled) portsWatch.add(asker);
    else portsWatch.remove(asker);
    return {};
  },
  stats: ({ sys }) => readStats(sys),
  async sync({ sys }) {
    const startedMs = sys.bootTimeMs();
    await sys.sync();
    return { tookMs: sys.bootTimeMs() - startedMs };
  },
  setClock({ sys }, { epochMs }) {
    sys.setClock(epochMs);
    return {};
  },
  setHostname({ sys }, { hostname }) {
    setHostname(sys, hostname);
    return {};
  },
  async setAddress({ sys }, params) {
    await setAddress(sys, params);
    return {};
  },
  powerOff({ sys }, _params, asker) {
    asker.afterReply(() => {
      powerOff(sys).catch((error: unknown) => sys.log(`the guest does not power off: ${String(error)}`));
    });
    return {};
  },
  bootId: ({ sys }) => ({ bootId: readBootId(sys) }),
};

export function isMethod(name: string): name is AgentMethod {
  return Object.hasOwn(METHODS, name);
}

/**
 * Does what a request asks for.
 *
 * @throws BadParams where the parameters are not of the method's form; SysError where the system refuses.
 */
export async function answer<Method extends AgentMethod>(
  method: Method,
  params: Readonly<Record<string, unknown>>,
  { guest, asker }: { readonly guest: Guest; readonly asker: Asker },
): Promise<AgentResult<Method>> {
  return METHODS[method](guest, PARAMS[method](params), asker);
}

export function readBootId(sys: Sys): string {
  return sys.readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}
