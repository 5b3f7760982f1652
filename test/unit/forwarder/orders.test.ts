import { expect, test } from 'vitest';
import { parseOrder } from '../../../src/forwarder/orders.ts';

const ORDER = {
  version: 1,
  revision: 3,
  dnsAddress: '127.77.0.1',
  names: [{ name: 'calm-otter', address: '10.77.0.2' }],
  forwards: [{ vmName: 'calm-otter', address: '127.77.0.2', ports: [22, 65_535] }],
};

test('an order is read; what it has beyond that is left out', () => {
  expect(parseOrder(JSON.stringify({ ...ORDER, more: 1 }))).toEqual(ORDER);
});

const forward = (differences: object): object => ({ forwards: [{ ...ORDER.forwards[0], ...differences }] });

test.each<[object, string]>([
  [{ version: 2 }, 'an order of version 2'],
  [{ revision: 0 }, 'out of bounds'],
  [{ dnsAddress: '127.0.0.1' }, 'outside of 127.77.0.0/16'],
  [{ dnsAddress: '0.0.0.0' }, 'outside of 127.77.0.0/16'],
  [{ names: 'all' }, 'without one of its lists'],
  [{ names: [{ name: '../x', address: '10.77.0.2' }] }, 'wrong name'],
  [{ names: [{ name: 'x', address: 'x' }] }, 'wrong address'],
  [forward({ address: '127.78.0.2' }), 'outside of 127.77.0.0/16'],
  [forward({ address: '127.77.0.2.5' }), 'wrong address'],
  [forward({ address: '::1' }), 'wrong address'],
  [forward({ vmName: 'a b' }), 'wrong name'],
  [forward({ ports: [0] }), 'out of bounds'],
  [forward({ ports: [65_536] }), 'out of bounds'],
  [forward({ ports: ['22'] }), 'out of bounds'],
  [{ forwards: [null] }, 'no object'],
])('%j is refused: %s', (differences, message) => {
  expect(() => parseOrder(JSON.stringify({ ...ORDER, ...differences }))).toThrow(message);
});
