import { AppError } from '../../core/app-error.ts';
import type { AgentConnector } from '../../core/vms/agent.ts';

/** Stands here until the protocol's host side is merged. */
export function createAgentConnector(): AgentConnector {
  return {
    connect: (stream, signal) => {
      const { promise, reject } = Promise.withResolvers<never>();
      const end = (): void => reject(new AppError('AGENT_UNREACHABLE', 'No agent speaks yet.'));
      stream.once('close', end);
      stream.once('error', end);
      stream.resume();
      signal.addEventListener('abort', () => {
        stream.destroy();
        reject(new AppError('AGENT_FAILED', 'Given up.'));
      });
      return promise;
    },
  };
}
