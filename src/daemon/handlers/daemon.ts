import type { Config } from '../../contracts/config.ts';
import type { DaemonStatus } from '../../contracts/daemon.ts';
import type { OperationService } from '../../core/operations/operation-service.ts';
import type { VmService } from '../../core/vms/vm-service.ts';
import type { Handlers } from '../route-handlers.ts';

export interface DaemonFacts extends Omit<DaemonStatus, 'runningVms' | 'runningOperations' | 'rssBytes'> {
  readonly config: Config;
  /** Begins the stop; returns at once. */
  readonly stop: (reason: 'user' | 'replace') => void;
}

export function daemonHandlers(
  facts: DaemonFacts,
  vms: VmService,
  operations: OperationService,
): Pick<Handlers, 'daemonStatus' | 'daemonStop' | 'configShow'> {
  const { config, stop, ...status } = facts;
  return {
    daemonStatus: () => ({
      ...status,
      runningVms: vms.runningCount(),
      runningOperations: operations.runningCount(),
      rssBytes: process.memoryUsage.rss(),
    }),
    daemonStop: ({ body }) => {
      stop(body.reason);
      return { pid: process.pid, runningVms: [...vms.runningNames()] };
    },
    configShow: () => ({ ...config }),
  };
}
