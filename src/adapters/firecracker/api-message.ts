/** What goes over Firecracker's API socket, and what its replies mean. Pure. */
import { printable } from '../../host/text-tail.ts';

/** Without null: Firecracker refuses it for every field that has a default. What is undefined is left out. */
export type JsonValue = string | number | boolean | JsonObject | readonly JsonValue[];
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export interface ApiRequest {
  readonly method: 'GET' | 'PUT' | 'PATCH';
  readonly path: string;
  readonly body?: JsonObject;
}

/** The facts of a request that did not come to its end. */
export type ApiFailure = 'unreachable' | 'refused' | 'timeout' | 'closed' | 'protocol';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly failure: ApiFailure;

  constructor(failure: ApiFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.failure = failure;
  }
}

const MAX_FAULT_CHARACTERS = 1_000;

export interface Fault {
  readonly text: string;
  /** It came from the HTTP server below the API; the connection is of no use after that. */
  readonly isOfTransport: boolean;
}

/**
 * Firecracker's own words: `fault_message`, or `error`, which comes with line feeds that JSON does not allow, or
 * whatever there is. Its texts are no promise: they are shown, nothing is decided by them.
 */
export function faultOf(body: string): Fault {
  const told = faultMessage(body);
  if (told !== undefined) return { text: short(told), isOfTransport: false };
  const text = /"error"\s*:\s*"([\s\S]*)"/.exec(body)?.[1] ?? body;
  return { text: short(text) || 'no reason given', isOfTransport: true };
}

function faultMessage(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const fault = asRecord(value)['fault_message'];
  return typeof fault === 'string' ? fault : undefined;
}

function short(text: string): string {
  return printable(text).replaceAll(/\s+/g, ' ').trim().slice(0, MAX_FAULT_CHARACTERS);
}

/** Its fields, where it is an object; none where it is not. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
