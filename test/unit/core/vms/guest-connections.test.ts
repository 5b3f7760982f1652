import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AppError } from '../../../../src/core/app-error.ts';
import { type ConnectedGuest, GuestConnections } from '../../../../src/core/vms/guest-connections.ts';
import type { GuestProgram } from '../../../../src/core/vms/guest-program.ts';
import type { GuestSession } from '../../../../src/core/vms/ports.ts';

const never = new AbortController().signal;
const IDLE_MS = 1000;

interface FakeProgram extends GuestProgram {
  readonly finish: () => void;
}

/** A guest whose connections a test breaks, and whose programs it ends. */
class FakeGuest implements ConnectedGuest {
  readonly vmId = 'vm-0123456789';
  readonly vmm = new AbortController();
  readonly ended = this.vmm.signal;
  readonly sessions: { readonly breakOff: () => void; programs: number; isOpen: boolean; isDead: boolean }[] = [];

  readonly connect = (): Promise<GuestSession> => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const state = {
      programs: 0,
      isOpen: true,
      isDead: false,
      breakOff: () => {
        state.isOpen = false;
        resolve();
      },
    };
    this.sessions.push(state);
    return Promise.resolve({
      closed,
      open: () => {
        if (state.isDead) return Promise.reject(new AppError('GUEST_UNREACHABLE', 'no answer'));
        state.programs += 1;
        return Promise.resolve(fakeProgram());
      },
      abandon: state.breakOff,
      [Symbol.asyncDispose]: () => Promise.resolve(state.breakOff()),
    } as unknown as GuestSession);
  };
}

function fakeProgram(): FakeProgram {
  const { promise: ended, resolve } = Promise.withResolvers<{ exitStatus: number }>();
  const finish = (): void => resolve({ exitStatus: 0 });
  return { ended, finish, end: () => Promise.resolve(finish()) } as unknown as FakeProgram;
}

let guest: FakeGuest;
let connections: GuestConnections;
const open = async (): Promise<FakeProgram> =>
  (await connections.open(guest, { command: ['true'] }, never)) as FakeProgram;

beforeEach(() => {
  vi.useFakeTimers();
  guest = new FakeGuest();
  connections = new GuestConnections({ idleMs: IDLE_MS });
});
afterEach(() => void vi.useRealTimers());

describe('connections to a guest', () => {
  test('the first command makes one, and the next ones use it', async () => {
    const [first, second] = await Promise.all([open(), open()]);
    first?.finish();
    second?.finish();
    await open();
    expect(guest.sessions).toMatchObject([{ programs: 3, isOpen: true }]);
  });

  test('one that is idle is closed, one that is used is not', async () => {
    const program = await open();
    await vi.advanceTimersByTimeAsync(10 * IDLE_MS);
    expect(guest.sessions).toMatchObject([{ isOpen: true }]);
    program.finish();
    await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
    (await open()).finish();
    await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
    expect(guest.sessions).toMatchObject([{ isOpen: true }]);
    await vi.advanceTimersByTimeAsync(1);
    expect(guest.sessions).toMatchObject([{ isOpen: false }]);
    await open();
    expect(guest.sessions).toMatchObject([{ isOpen: false }, { isOpen: true }]);
  });

  test('more at once than sshd takes on one are spread, and their number is bounded', async () => {
    const programs: FakeProgram[] = [];
    for (let count = 0; count < 64; count += 1) programs.push(await open());
    expect(guest.sessions.map((session) => session.programs)).toEqual([8, 8, 8, 8, 8, 8, 8, 8]);
    await expect(open()).rejects.toMatchObject({ code: 'VM_BUSY' });
    programs[20]?.finish();
    await vi.advanceTimersByTimeAsync(0);
    await open();
    expect(guest.sessions[2]?.programs).toBe(9);
  });

  test('one that broke while nobody looked is replaced, unseen', async () => {
    (await open()).finish();
    for (const session of guest.sessions) session.isDead = true;
    await open();
    expect(guest.sessions).toMatchObject([{ isOpen: false }, { programs: 1, isOpen: true }]);
  });

  test('a new one on which nothing opens is told of, not tried again', async () => {
    const { connect } = guest;
    const dead = async (): Promise<GuestSession> => {
      const session = await connect();
      for (const state of guest.sessions) state.isDead = true;
      return session;
    };
    const opening = connections.open(
      { vmId: guest.vmId, ended: guest.ended, connect: dead },
      { command: ['true'] },
      never,
    );
    await expect(opening).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
    expect(guest.sessions).toMatchObject([{ isOpen: false }]);
  });

  test('a connection that cannot be made is forgotten', async () => {
    const { vmId, ended } = guest;
    const connect = (): Promise<never> => Promise.reject(new AppError('GUEST_UNREACHABLE', 'nobody'));
    const opening = connections.open({ vmId, ended, connect }, { command: ['true'] }, never);
    await expect(opening).rejects.toMatchObject({ message: 'nobody' });
    await open();
    expect(guest.sessions).toHaveLength(1);
  });

  test('they end with the VMM', async () => {
    await open();
    guest.vmm.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(guest.sessions).toMatchObject([{ isOpen: false }]);
  });

  test('all are closed at the end, and what runs is ended first', async () => {
    const program = await open();
    const closing = connections.close();
    await expect(program.ended).resolves.toEqual({ exitStatus: 0 });
    await closing;
    await vi.advanceTimersByTimeAsync(0);
    expect(guest.sessions).toMatchObject([{ isOpen: false }]);
  });
});
