import { expect, test } from 'vitest';
import { withHost, withoutHost } from '../../../../src/adapters/ssh/known-hosts.ts';

test('pins one key for an alias, and leaves the others', () => {
  const one = withHost('', 'vm-1', 'ssh-ed25519 AAAA comment');
  expect(one).toBe('vm-1 ssh-ed25519 AAAA\n');
  const two = withHost(one, 'vm-10', 'ssh-ed25519 BBBB');
  expect(withHost(two, 'vm-1', 'ssh-ed25519 CCCC')).toBe('vm-10 ssh-ed25519 BBBB\nvm-1 ssh-ed25519 CCCC\n');
  expect(withoutHost(two, 'vm-1')).toBe('vm-10 ssh-ed25519 BBBB\n');
  expect(withoutHost(two, 'vm')).toBe(two);
});

test('a last line without newline is no part of the next', () => {
  expect(withHost('a ssh-ed25519 A', 'b', 'ssh-ed25519 B')).toBe('a ssh-ed25519 A\nb ssh-ed25519 B\n');
});
