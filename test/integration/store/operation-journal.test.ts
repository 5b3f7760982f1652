import { appendFile, mkdir, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileOperationJournal } from '../../../src/adapters/journal/operation-journal.ts';
import type { AppError } from '../../../src/core/app-error.ts';
import type { NumberedEvent } from '../../../src/core/operations/ports.ts';
import { collect } from '../../support/collect.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

function logEntry(sequence: number, line = `line ${sequence}`): NumberedEvent {
  return { sequence, event: { type: 'log', at: '2026-01-01T00:00:00.000Z', stage: 'boot', line } };
}

async function makeJournal() {
  const dir = join(await makeTempDir(), 'operations');
  const faults: AppError[] = [];
  const open = (): FileOperationJournal => new FileOperationJournal(dir, (problem) => faults.push(problem));
  return { dir, faults, open, journal: open(), file: join(dir, 'op-1', 'events.ndjson') };
}

const readAll = (journal: FileOperationJournal, after = 0): Promise<NumberedEvent[]> =>
  collect(journal.read('op-1', after));

const sequences = async (journal: FileOperationJournal, after = 0): Promise<number[]> =>
  (await readAll(journal, after)).map(({ sequence }) => sequence);

test('what is appended is read at once, buffered or not, whole or after a number', async () => {
  const { journal, file } = await makeJournal();
  journal.append('op-1', logEntry(1, 'ünïcödé \u0000 "quoted"'));
  journal.append('op-1', logEntry(2));
  expect(await readAll(journal)).toEqual([logEntry(1, 'ünïcödé \u0000 "quoted"'), logEntry(2)]);
  journal.append('op-1', logEntry(3));
  expect(await sequences(journal, 1)).toEqual([2, 3]);
  expect(await sequences(journal, 3)).toEqual([]);
  await journal.close('op-1');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
});

test('an operation without a journal has no events, and an empty log', async () => {
  const { journal } = await makeJournal();
  expect(await readAll(journal)).toEqual([]);
  expect(await journal.readLog('op-1')).toBe('');
  expect(await journal.list()).toEqual([]);
  await journal.close('op-1');
});

test('the log is its lines alone', async () => {
  const { journal } = await makeJournal();
  journal.append('op-1', logEntry(1, 'one'));
  const at = '2026-01-01T00:00:00.000Z';
  journal.append('op-1', { sequence: 2, event: { type: 'progress', at, stage: 'boot', done: 1, total: 2 } });
  journal.append('op-1', logEntry(3, 'two'));
  expect(await journal.readLog('op-1')).toBe('[boot] one\n[boot] two\n');
  await journal.close('op-1');
});

test('more than a buffer’s worth, read while it is written, is complete and in order', async () => {
  const { journal, open } = await makeJournal();
  const reads: Promise<number[]>[] = [];
  for (let sequence = 1; sequence <= 5000; sequence += 1) {
    journal.append('op-1', logEntry(sequence, 'x'.repeat(100)));
    if (sequence % 1000 === 0) reads.push(sequences(journal));
  }
  for (const [index, read] of (await Promise.all(reads)).entries()) {
    expect(read.length).toBeGreaterThanOrEqual((index + 1) * 1000);
    expect(read).toEqual(read.map((_, position) => position + 1));
  }
  await journal.close('op-1');
  expect(await sequences(open())).toHaveLength(5000);
});

test('a reader that stops early lets go of the file', async () => {
  const { journal } = await makeJournal();
  for (let sequence = 1; sequence <= 2000; sequence += 1) journal.append('op-1', logEntry(sequence));
  for await (const { sequence } of journal.read('op-1', 0)) if (sequence === 3) break;
  await journal.close('op-1');
  expect(await sequences(journal)).toHaveLength(2000);
});

describe('after a crash', () => {
  test('a line that was cut off is not read, and the next does not stick to it', async () => {
    const { journal, open, file } = await makeJournal();
    journal.append('op-1', logEntry(1));
    await journal.close('op-1');
    await appendFile(file, '{"sequence":2,"event":{"type":"lo');
    expect(await sequences(open())).toEqual([1]);
    const next = open();
    next.append('op-1', logEntry(2));
    await next.close('op-1');
    expect(await readAll(open())).toEqual([logEntry(1), logEntry(2)]);
  });

  test('a file that is one cut-off line, longer than what is read at once, begins anew', async () => {
    const { open, file } = await makeJournal();
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, `{"sequence":1,${'x'.repeat(200_000)}`);
    const journal = open();
    journal.append('op-1', logEntry(1));
    await journal.close('op-1');
    expect(await readAll(open())).toEqual([logEntry(1)]);
  });

  test('a damaged line in the middle is left out and told', async () => {
    const { open, file, faults } = await makeJournal();
    await mkdir(join(file, '..'), { recursive: true });
    const lines = [JSON.stringify(logEntry(1)), '\u0000\u0000\u0000', '{"sequence":3}', JSON.stringify(logEntry(4))];
    await writeFile(file, `${lines.join('\n')}\n`);
    expect(await sequences(open())).toEqual([1, 4]);
    expect(faults).toHaveLength(2);
    expect(faults[0]?.message).toContain('op-1');
  });
});

describe('a disk that takes nothing', () => {
  test('loses nothing: what could not be written is written later, once', async () => {
    const { journal, open, file } = await makeJournal();
    await mkdir(join(file, '..'), { recursive: true });
    // ENOSPC for every byte.
    await symlink('/dev/full', file);
    for (const sequence of [1, 2, 3]) journal.append('op-1', logEntry(sequence));
    await expect(sequences(journal)).rejects.toMatchObject({ code: 'DISK_FULL' });
    await expect(journal.close('op-1')).rejects.toMatchObject({ details: { operationId: 'op-1' } });
    await unlink(file);
    journal.append('op-1', logEntry(4));
    await journal.close('op-1');
    expect(await sequences(open())).toEqual([1, 2, 3, 4]);
  });

  test('is told where nobody waits for the write', async () => {
    const dir = join(await makeTempDir(), 'operations');
    await writeFile(dir, 'not a folder');
    const { promise, resolve } = Promise.withResolvers<AppError>();
    const journal = new FileOperationJournal(dir, resolve);
    journal.append('op-1', logEntry(1));
    expect(await promise).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('op-1') });
  });
});

test('removed, it is gone, and removing it again does nothing', async () => {
  const { journal, dir } = await makeJournal();
  const id = 'op-0123456xyz';
  journal.append(id, logEntry(1));
  await journal.close(id);
  expect(await journal.list()).toEqual([id]);
  await journal.remove(id);
  await journal.remove(id);
  await expect(stat(join(dir, id))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await journal.list()).toEqual([]);
});

test('what is not called as operations are is not listed', async () => {
  const { journal, dir } = await makeJournal();
  for (const name of ['notes', 'op-1', 'op-0123456xyz-old', 'op-0123456XYZ']) {
    await mkdir(join(dir, name), { recursive: true });
  }
  await writeFile(join(dir, 'op-0123456xyz'), '');
  expect(await journal.list()).toEqual([]);
});
