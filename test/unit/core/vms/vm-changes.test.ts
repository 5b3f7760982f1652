import { describe, expect, test } from 'vitest';
import { planChanges } from '../../../../src/core/vms/vm-changes.ts';
import { vmRecord } from '../../../support/records.ts';

const GIB = 2 ** 30;
const RECORD = vmRecord({ cpus: 2, memoryBytes: GIB, diskBytes: 8 * GIB, egress: 'none' });
const BEFORE = { record: RECORD, peers: ['bold-fox'] };

describe('what is asked of a VM', () => {
  test('that runs takes effect at its next start, but for its access to the outside', () => {
    expect(
      planChanges(BEFORE, { cpus: 4, memoryBytes: 2 * GIB, diskBytes: 9 * GIB, nat: true, peers: ['x', 'a'] }, true),
    ).toEqual([
      { what: 'cpus', from: 2, to: 4, takesEffect: 'next start' },
      { what: 'memory', from: GIB, to: 2 * GIB, takesEffect: 'next start' },
      { what: 'disk', from: 8 * GIB, to: 9 * GIB, takesEffect: 'next start' },
      { what: 'egress', from: 'none', to: 'open', takesEffect: 'now' },
      { what: 'peers', from: 'bold-fox', to: 'a, x', takesEffect: 'now' },
    ]);
  });

  test('that is stopped takes effect now', () => {
    expect(planChanges(BEFORE, { cpus: 1 }, false)).toEqual([{ what: 'cpus', from: 2, to: 1, takesEffect: 'now' }]);
  });

  test('and is so already is no change', () => {
    expect(
      planChanges(BEFORE, { cpus: 2, memoryBytes: GIB, diskBytes: 8 * GIB, nat: false, peers: ['bold-fox'] }, false),
    ).toEqual([]);
  });
});
