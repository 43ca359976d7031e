import { expect, test } from 'vitest';
// @ts-expect-error: the browser tests are plain JavaScript.
import { readNode } from '../e2e/demo.mjs';

test('the list of the demo names each node, its page, and who signs in there', () => {
  expect(readNode('  P1  http://127.0.0.1:45673/  sign in as chair with -Ipu2.7y8m_.kh64y')).toEqual({
    node: 'P1',
    url: 'http://127.0.0.1:45673',
    office: 'chair',
    password: '-Ipu2.7y8m_.kh64y',
  });
  expect(readNode('  O1  http://127.0.0.1:44655/')).toEqual({ node: 'O1', url: 'http://127.0.0.1:44655', office: null, password: null });
  expect(readNode('Ctrl-C stops the nodes')).toBeNull();
});
