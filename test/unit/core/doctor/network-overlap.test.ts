import { expect, test } from 'vitest';
import { findOverlap } from '../../../../src/core/doctor/network-overlap.ts';

test.each([
  ['10.77.0.0/20', '10.77.0.0/20', true],
  ['10.77.0.0/20', '10.0.0.0/8', true],
  ['10.77.0.0/20', '10.77.15.255', true],
  ['10.77.0.0/20', '10.77.16.0', false],
  ['10.77.0.0/20', '10.76.255.255', false],
  ['10.77.0.0/20', '192.168.0.0/16', false],
  // A network may be written with an address inside it.
  ['10.77.3.9/20', '10.77.0.1/32', true],
  ['0.0.0.0/0', '203.0.113.7', true],
  ['10.77.0.0/20', 'default', false],
  ['10.77.0.0/20', 'fe80::/64', false],
  ['128.0.0.0/1', '255.255.255.255', true],
])('%s and %s: %s', (cidr, destination, expected) => {
  expect(findOverlap(cidr, [{ destination, device: 'eth0' }])?.destination === destination).toBe(expected);
});
