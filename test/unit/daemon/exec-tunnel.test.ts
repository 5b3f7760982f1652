/** What a client hears over the connection of `vm exec`, around a program of the test's own. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { encodeMessage, type ExecEnd, type ExecReply, ExecReplyReader } from '../../../src/contracts/exec-stream.ts';
import { AppError } from '../../../src/core/app-error.ts';
import type { GuestProgram } from '../../../src/core/vms/guest-program.ts';
import { execTunnel } from '../../../src/daemon/exec-tunnel.ts';

/** A program that takes no input before it is told to, and ends when it is told to. */
class HeldProgram implements GuestProgram {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly #end = Promise.withResolvers<ExecEnd>();
  readonly ended = this.#end.promise;
  readonly #asked = Promise.withResolvers<void>();
  readonly #taking = Promise.withResolvers<void>();
  /** Settles once input is offered to it. */
  readonly offered = this.#asked.promise;

  write(): Promise<void> {
    this.#asked.resolve();
    return this.#taking.promise;
  }

  takeInput(): void {
    this.#taking.resolve();
  }

  finish(end: ExecEnd): void {
    this.stdout.end();
    this.stderr.end();
    this.#end.resolve(end);
  }

  endInput(): void {}
  resize(): void {}
  signal(): void {}
  async end(): Promise<void> {}
}

function tunnelTo(program: GuestProgram): ReturnType<typeof execTunnel> {
  return execTunnel({
    open: async () => program,
    ended: new AbortController().signal,
    whyLost: () => new AppError('INTERNAL', 'not lost'),
  });
}

test('nothing follows the exit: input that is taken only then leaves the connection whole', async () => {
  const program = new HeldProgram();
  const tunnel = tunnelTo(program);
  const replies: ExecReply[] = [];
  const reader = new ExecReplyReader();
  tunnel.on('data', (chunk: Buffer) => replies.push(...reader.push(chunk)));
  tunnel.write(encodeMessage({ kind: 'start', request: { command: ['cat'] } }));
  tunnel.write(encodeMessage({ kind: 'stdin', data: Buffer.from('late') }));
  await program.offered;
  program.finish({ signal: 'INT' });
  await once(tunnel, 'end');
  program.takeInput();
  // A turn later whatever that led to has happened.
  await new Promise(setImmediate);
  expect(tunnel.destroyed).toBe(false);
  tunnel.end();
  await once(tunnel, 'close');
  expect(replies).toEqual([{ kind: 'exit', end: { signal: 'INT' } }]);
});
