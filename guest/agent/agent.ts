import type { AgentEvent } from '../../src/contracts/agent-messages.ts';
import { Channels } from './channels.ts';
import { OpenRequests } from './conversation.ts';
import { PortsList } from './ports-list.ts';
import { PortsWatch } from './ports-watch.ts';
import { watchReadiness } from './readiness.ts';
import { Stages } from './stages.ts';
import type { Sys } from './sys.ts';

export interface AgentOptions {
  /** The agent's own version. */
  readonly version: string;
  /** A unix socket to be heard on instead of the guest's channels. */
  readonly unixPath?: string | undefined;
  /** Called where the guest has no channel to a host. */
  readonly onNoChannel: () => void;
}

/** Starts the agent; it runs on by what the machine calls back. @throws SysError where `unixPath` cannot be had. */
export function startAgent(sys: Sys, { version, unixPath, onNoChannel }: AgentOptions): void {
  const stages = new Stages((event: AgentEvent) => channels.tell(event));
  const ports = new PortsList(sys);
  const guest = { sys, stages, ports, portsWatch: new PortsWatch(sys, ports) };
  const channels = new Channels({ guest, version, openRequests: new OpenRequests() });
  const onFirst = (): void => stages.reach('agent', sys.bootTimeMs());
  if (unixPath === undefined) {
    channels.open(onFirst, onNoChannel);
  } else {
    channels.openUnix(unixPath);
    onFirst();
  }
  watchReadiness(sys, stages);
}
