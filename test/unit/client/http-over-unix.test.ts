import { expect, test } from 'vitest';
import { routePath } from '../../../src/client/api-client.ts';
import { parseReply } from '../../../src/client/http-over-unix.ts';

test.each([
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}', { status: 200, text: '{}' }],
  ['HTTP/1.1 404 Not Found\r\n\r\n{"a":1}', { status: 404, text: '{"a":1}' }],
  ['HTTP/1.0 204 No Content\r\ncontent-length:0\r\n\r\n', { status: 204, text: '' }],
  ['HTTP/1.1 200 OK\r\nx: é\r\n\r\n"é"', { status: 200, text: '"é"' }],
])('reads %j', (bytes, reply) => {
  expect(parseReply(Buffer.from(bytes))).toEqual(reply);
});

test.each([
  [''],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}'],
  ['SSH-2.0-OpenSSH\r\n\r\n'],
])('takes %j for no whole reply', (bytes) => {
  expect(parseReply(Buffer.from(bytes))).toBeUndefined();
});

test('parameters cannot leave their place in the path', () => {
  expect(routePath('vmShow', { name: '../x?y#z' })).toBe('/v1/vms/..%2Fx%3Fy%23z');
  expect(routePath('vmTunnel', { name: 'calm-otter', port: 22 })).toBe('/v1/vms/calm-otter/tcp/22');
});
