import type { EventBus } from '../../core/events/event-bus.ts';
import type { OperationService } from '../../core/operations/operation-service.ts';
import type { Handlers } from '../route-handlers.ts';

type OperationRoute =
  | 'operationList'
  | 'operationShow'
  | 'operationLog'
  | 'operationEvents'
  | 'operationCancel'
  | 'events';

export function operationHandlers(operations: OperationService, bus: EventBus): Pick<Handlers, OperationRoute> {
  return {
    operationList: () => [...operations.list()],
    operationShow: ({ params }) => operations.get(params.id),
    operationLog: ({ params }) => operations.log(params.id),
    operationEvents: ({ params, query }, { signal }) => operations.events(params.id, query.after ?? 0, signal),
    operationCancel: ({ params }) => operations.cancel(params.id),
    events: ({ query }, { signal }) => bus.listen(query.after, signal),
  };
}
