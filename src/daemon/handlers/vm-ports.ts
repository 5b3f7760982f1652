import type { VmPortsService } from '../../core/publishing/vm-ports-service.ts';
import type { Handlers } from '../route-handlers.ts';

export function vmPortsHandlers(ports: VmPortsService): Pick<Handlers, 'vmPorts'> {
  return { vmPorts: ({ params }, { signal }) => ports.list(params.name, signal) };
}
