import { afterEach, expect, test, vi } from 'vitest';
import { byName, bytes, obstacleHere, text } from '../src/passkeys';

/** The page as it came from an address. */
function at(address: string, { isSecure = true, knows = true } = {}) {
  vi.stubGlobal('location', new URL(address));
  vi.stubGlobal('isSecureContext', isSecure);
  if (knows) vi.stubGlobal('PublicKeyCredential', class {});
}
afterEach(() => vi.unstubAllGlobals());

test.each([
  ['https://p1.example/', {}, null],
  ['http://localhost:7411/', {}, null],
  ['https://p1.example/', { knows: false }, 'browser'],
  // A number is no name, secure or not.
  ['http://127.0.0.1:7411/', {}, 'address'],
  ['https://10.0.0.7/', {}, 'address'],
  ['https://[2001:db8::1]/', {}, 'address'],
  ['http://p1.example/', { isSecure: false }, 'address'],
])('at %s with %o the obstacle is %s', (address, page, obstacle) => {
  at(address, page);
  expect(obstacleHere()).toBe(obstacle);
});

test('the same page by name keeps its place', () => {
  at('http://127.0.0.1:7411/?lang=ps#/signin?then=record');
  expect(byName()).toBe('http://localhost:7411/?lang=ps#/signin?then=record');
  at('https://10.0.0.7/');
  expect(byName()).toBe(null);
});

test('bytes are written as the node writes them', () => {
  const all = Uint8Array.from({ length: 256 }, (_, n) => n);
  for (const length of [0, 1, 2, 3, 255, 256]) {
    const written = text(all.slice(0, length).buffer);
    expect(written).toMatch(/^[\w-]*$/);
    expect(bytes(written)).toEqual(all.slice(0, length));
  }
  expect(text(new Uint8Array([251, 255]).buffer)).toBe('-_8');
});
