/** What the server calls for each route: types derived from the route table, so that a missing handler does not compile. */
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import type { RouteName, Routes } from '../contracts/routes.ts';

export interface RequestContext {
  /** Stands in the log beside everything about this request. */
  readonly requestId: string;
  /** Aborted when the client goes away or the daemon stops. */
  readonly signal: AbortSignal;
}

/** An item of an event stream; `sequence` is its `Last-Event-ID`. */
export interface SequencedEvent<Event> {
  readonly sequence: number;
  readonly event: Event;
}

type Parsed<Route, Key extends string> =
  Route extends Readonly<Record<Key, infer Schema extends z.ZodType>> ? z.output<Schema> : undefined;

export interface HandlerInput<Name extends RouteName> {
  readonly params: Parsed<Routes[Name], 'params'>;
  readonly query: Parsed<Routes[Name], 'query'>;
  readonly body: Parsed<Routes[Name], 'body'>;
}

/** What a handler of each kind gives back; a refusal is thrown before anything is given. */
interface HandlerReplies<Reply> {
  readonly sync: Reply;
  readonly operation: Reply;
  readonly text: string;
  /** Errors thrown by the call itself become an HTTP error, those of the iteration end the stream. */
  readonly events: AsyncIterable<SequencedEvent<Reply>>;
  /** Open already; made with `allowHalfOpen`, so that one side may end before the other. */
  readonly tunnel: Duplex;
}

type HandlerReply<Name extends RouteName> = HandlerReplies<z.output<Routes[Name]['reply']>>[Routes[Name]['kind']];

export type Handler<Name extends RouteName> = (
  input: HandlerInput<Name>,
  context: RequestContext,
) => HandlerReply<Name> | Promise<HandlerReply<Name>>;

/** One handler for every route. */
export type Handlers = { readonly [Name in RouteName]: Handler<Name> };
