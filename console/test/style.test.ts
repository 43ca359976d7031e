import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = join(dirname(fileURLToPath(import.meta.url)), '../src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(svelte|css)$/.test(path));

/** Declarations that know left from right: a page has a start and an end. */
function physical(text: string): string[] {
  const properties = /^\s*(left|right|(margin|padding|border)-(left|right)[\w-]*|inset)\s*:.*$/gm;
  const values = /^\s*(text-align|float|clear)\s*:\s*(left|right)\b.*$/gm;
  return [...text.matchAll(properties), ...text.matchAll(values)].map(([line]) => line.trim());
}

test('a physical declaration is found', () => {
  expect(physical('a {\n  margin-left: 1px;\n  margin-inline-start: 1px;\n  text-align: right;\n}')).toEqual([
    'margin-left: 1px;',
    'text-align: right;',
  ]);
});

test.each(files)('%s knows start and end, not left and right', (path) => {
  expect(physical(readFileSync(join(source, path), 'utf8'))).toEqual([]);
});

test.each(files)('%s asks nothing of another origin', (path) => {
  expect(readFileSync(join(source, path), 'utf8')).not.toMatch(/(https?:)?\/\/[a-z0-9-]+\.[a-z]/i);
});
