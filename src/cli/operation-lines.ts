import type { Operation } from '../contracts/operation.ts';
import { errorLines } from './error-lines.ts';
import { detailLines, tableLines } from './table.ts';
import { formatAge, formatDuration } from './terminal-text.ts';

/** How long an operation took, or has taken so far. */
export function operationDuration(operation: Operation, now: number): string {
  const end = operation.endedAt === undefined ? now : Date.parse(operation.endedAt);
  return formatDuration(Math.max(0, end - Date.parse(operation.createdAt)));
}

/** An operation and its stages as lines for people. */
export function operationLines(
  operation: Operation,
  options: { readonly now: number; readonly width: number },
): readonly string[] {
  const { error } = operation;
  const stages = tableLines(
    [
      { title: 'STAGE', least: 12 },
      { title: 'STATE' },
      { title: 'TIME', align: 'right' },
      { title: 'NOTE', least: 10 },
    ],
    operation.stages.map((stage) => [
      stage.name,
      stage.state,
      stage.durationMs === undefined ? '' : formatDuration(stage.durationMs),
      stage.note ?? '',
    ]),
    options.width,
  );
  return [
    ...detailLines(
      [
        ['id', operation.id],
        ['kind', operation.kind],
        ['target', operation.target],
        ['state', operation.state],
        ['created', `${operation.createdAt} (${formatAge(operation.createdAt, options.now)})`],
        ['took', operationDuration(operation, options.now)],
      ],
      options.width,
    ),
    ...(operation.stages.length > 0 ? ['', ...stages] : []),
    ...(error ? ['', ...errorLines(error, options)] : []),
  ];
}
