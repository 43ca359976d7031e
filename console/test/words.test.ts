import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, type AST } from 'svelte/compiler';
import { expect, test } from 'vitest';
import { languages, Words } from '../src/words';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src');
const locale = (tag: string, file: string) => readFileSync(join(here, `../../locales/${tag}/${file}`), 'utf8');

/** Id and text of every message and term of a file. */
function messages(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let id = '';
  for (const line of text.split('\n')) {
    const start = /^(-?[a-zA-Z][\w-]*) = ?(.*)$/.exec(line);
    if (start) found.set((id = start[1]!), start[2]!);
    else if (/^\s+\S/.test(line) && id) found.set(id, `${found.get(id)}\n${line.trim()}`);
  }
  return found;
}

const shared = ['console.ftl', 'verdicts.ftl'];
const rtl = languages.filter(({ dir }) => dir === 'rtl').map(({ tag }) => tag);
const variables = (text: string) => [...text.matchAll(/\$([\w-]+)/g)].map((match) => match[1]).sort();

test.each(rtl)('%s has the messages of English, with the same variables', (tag) => {
  for (const file of shared) {
    const english = messages(locale('en', file));
    const theirs = messages(locale(tag, file));
    expect([...theirs.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [id, text] of english) expect(variables(theirs.get(id)!), id).toEqual(variables(text));
  }
});

test.each(rtl)('%s has no Latin letter outside a place for one, and balanced isolates', (tag) => {
  for (const [id, text] of messages(locale(tag, 'console.ftl'))) {
    if (!id.startsWith('-')) expect(text.replace(/\{[^}]*\}/g, ''), id).not.toMatch(/[A-Za-z]/);
    expect([...text].filter((c) => '\u2066\u2067\u2068'.includes(c)).length, id).toBe(text.split('\u2069').length - 1);
    expect(text, id).not.toMatch(/[\u200e\u200f\u202a-\u202e]/);
  }
});

test.each(rtl)('words of %s are marked as drafts until a native speaker has read them', (tag) => {
  expect(new Words(tag).isDraft).toBe(locale(tag, 'console.ftl').includes('# needs native review'));
});

test('roles, purposes and columns of the agreement have words', () => {
  const roles = readFileSync(join(here, '../../agreements/hamsaya-accord/roles.toml'), 'utf8');
  const names = (table: string) => [...roles.matchAll(new RegExp(`^\\[${table}\\.(\\w+)\\]`, 'gm'))].map(([, name]) => name!);
  // The node reads nothing here, and what anybody may state is read with what it is about.
  const ids = [
    ...names('role').filter((name) => name !== 'node').map((name) => `role-${name}`),
    ...names('column').filter((name) => name !== 'any').map((name) => `matter-${name}`),
    ...[.../^purposes = \[(.*)\]/m.exec(roles)![1]!.matchAll(/"(\w+)"/g)].map(([, name]) => `purpose-${name}`),
  ];
  expect(ids.length).toBeGreaterThan(30);
  for (const { tag } of languages) expect(ids.filter((id) => !new Words(tag).has(id)), tag).toEqual([]);
});

interface Piece {
  path: string;
  text: string;
}

function pieces(): Piece[] {
  const all = readdirSync(source, { recursive: true, encoding: 'utf8' });
  return all
    .filter((path) => path.endsWith('.svelte') || path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(source, path), 'utf8') }));
}

/** Ids said by name, and beginnings of ids whose end is a code. */
function said(): { ids: Set<string>; beginnings: Set<string> } {
  const ids = new Set<string>();
  const beginnings = new Set<string>();
  const known = new Words('en');
  for (const { text } of pieces()) {
    for (const [, id] of text.matchAll(/['"`]([a-z][\w-]+)['"`]/g)) if (known.has(id!)) ids.add(id!);
    for (const [, start] of text.matchAll(/`([a-z]+(?:-[a-z]+)*-)\$\{/g)) beginnings.add(start!);
    for (const [, start] of text.matchAll(/\.code\('([a-z-]+)'/g)) beginnings.add(`${start}-`);
  }
  return { ids, beginnings };
}

test('every id that the pages name is a message', () => {
  const known = new Words('en');
  for (const { path, text } of pieces()) {
    for (const [, id] of text.matchAll(/\bsay\('([^']+)'/g)) expect(known.has(id!), `${path}: ${id}`).toBe(true);
    for (const [, id] of text.matchAll(/<Say id="([^"]+)"/g)) expect(known.has(id!), `${path}: ${id}`).toBe(true);
  }
});

test('every message of the console is used', () => {
  const { ids, beginnings } = said();
  const used = (id: string) => ids.has(id) || [...beginnings].some((start) => id.startsWith(start));
  const terms = [...messages(locale('en', 'console.ftl')).entries()];
  const unused = terms
    .map(([id]) => id)
    .filter((id) => (id.startsWith('-') ? !terms.some(([, text]) => text.includes(`{ ${id} }`)) : !used(id)));
  expect(unused).toEqual([]);
});

// Words come from `locales/` only: no letter may stand bare in a component.
const spoken = new Set(['title', 'aria-label', 'aria-description', 'alt', 'placeholder', 'label']);
const hasLetter = (text: string) => /\p{L}/u.test(text);

/** Bare words of a component: text between elements, spoken attributes, texts inside braces that no call takes. */
function bareWords(component: string): string[] {
  const found: string[] = [];
  const inBraces = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(inBraces);
    if (!node || typeof node !== 'object') return;
    const { type, value, quasis, consequent, alternate, left, right, operator, expressions } = node as Record<string, unknown>;
    if (type === 'Literal' && typeof value === 'string' && hasLetter(value)) found.push(value);
    if (type === 'TemplateLiteral') {
      for (const { value } of quasis as { value: { raw: string } }[]) if (hasLetter(value.raw)) found.push(value.raw);
      inBraces(expressions);
    }
    if (type === 'ConditionalExpression') inBraces([consequent, alternate]);
    if (type === 'LogicalExpression' || (type === 'BinaryExpression' && operator === '+')) inBraces([left, right]);
  };
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (!node || typeof node !== 'object') return;
    const { type, name, data, value, expression, ...inner } = node as Record<string, any>;
    // Ltr's text is a code, not a word.
    if (type === 'Text' && hasLetter(data)) found.push(data.trim());
    else if (type === 'ExpressionTag') inBraces(expression);
    else if (type === 'Attribute') {
      if (spoken.has(name)) walk(value);
    } else for (const child of Object.values({ ...inner, value, expression })) walk(child);
  };
  const root: AST.Root = parse(component, { modern: true });
  walk(root.fragment);
  return found;
}

test('a bare word in a component is found', () => {
  expect(bareWords(`<p>{say('x')} and</p>`)).toEqual(['and']);
  expect(bareWords(`<img alt="A gate" class="x" />`)).toEqual(['A gate']);
  expect(bareWords(`<p>{ok ? 'yes' : say('no')} · {a}</p>`)).toEqual(['yes']);
  expect(bareWords('<p>{`of ${n}`}</p>')).toEqual(['of ']);
  expect(bareWords(`{#if a === 'b'}<p class={'c'}>{f('d')}</p>{/if}`)).toEqual([]);
});

test.each(pieces().filter(({ path }) => path.endsWith('.svelte')).map(({ path, text }) => [path, text]))(
  '%s has no bare word',
  (_path, text) => {
    expect(bareWords(text)).toEqual([]);
  },
);

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [720, '12 min'],
  [5_400, '1 h 30 min'],
  [-5_400, '1 h 30 min'],
  [86_400, '1 d'],
  [867_600, '10 d 1 h'],
  [86_460, '1 d'],
])('%i seconds are %s, as the command says it', (seconds, text) => {
  expect(new Words('en').duration(seconds)).toBe(text);
});

test('prose has the digits of its language', () => {
  expect(['en', 'fa-AF', 'ps', 'ur'].map((tag) => new Words(tag).digits('14:05'))).toEqual(['14:05', '۱۴:۰۵', '۱۴:۰۵', '14:05']);
});

test('an id that no file has is said as it is', () => {
  expect(new Words('ps').say('no-such-id')).toBe('no-such-id');
  expect(new Words('ps').code('kind', 'future_kind')).toBe('future_kind');
});
