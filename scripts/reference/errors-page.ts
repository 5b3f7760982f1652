import { API_PREFIX } from '../../src/contracts/addresses.ts';
import { ERRORS, ERROR_CODES, type ErrorCode } from '../../src/contracts/errors.ts';
import { ROUTES, type Route } from '../../src/contracts/routes.ts';
import { GENERATED_NOTE, code, page, table } from './markdown.ts';

export function errorsPage(): string {
  return page([
    '# Errors',
    GENERATED_NOTE,
    'Every error has a permanent code, says what happened, and what to do. Over the API it is `{code, message, hint, details, operationId?}` with the status below; the command line prints the same. An operation that failed carries its error in `error`.',
    table(
      ['code', 'status', 'meaning'],
      ERROR_CODES.map((name) => [`[${name}](#${name.toLowerCase()})`, String(ERRORS[name].status), ERRORS[name].title]),
    ),
    ...ERROR_CODES.flatMap((name) => [
      `## ${name}`,
      `${ERRORS[name].title}. Status ${ERRORS[name].status}.`,
      `What to do: ${ERRORS[name].hint}`,
      raisedBy(name),
    ]),
  ]);
}

function raisedBy(name: ErrorCode): string {
  const routes = (Object.values(ROUTES) as Route[]).filter((route) => route.errors.includes(name));
  if (routes.length === 0) return '';
  return `Answered by ${routes.map((route) => code(`${route.method} ${API_PREFIX}${route.path}`)).join(', ')}.`;
}
