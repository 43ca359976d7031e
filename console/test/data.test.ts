import { readFileSync } from 'node:fs';
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { expect, test } from 'vitest';
import { address } from '../src/api';
import { crossingsOf, linesOf, project } from '../src/chart';
import { csv } from '../src/csv';
import { EventReader } from '../src/live';
import { placeText } from '../src/place';

test('CSV quotes what needs it and starts no formula', () => {
  expect(csv([{ label: 'C14(A1, P1)', n: -3, note: '=1+1', none: null, said: 'a "b"\nc' }])).toBe(
    '\uFEFFlabel,n,note,none,said\r\n"C14(A1, P1)",-3,\'=1+1,,"a ""b""\nc"\r\n',
  );
  expect(csv([])).toBe('\uFEFF\r\n');
});

test('events come in pieces, and pings are no events', () => {
  const events = new EventReader();
  expect(events.read(': ping\n\nevent: ver')).toEqual([]);
  expect(events.read('dict\r\nid: 41\r\ndata: {}\r\n\r\nevent: head\ndata:')).toEqual(['verdict']);
  expect(events.lastId).toBe('41');
  expect(events.read('1\n\ndata: x\n\n')).toEqual(['head', 'message']);
});

test('a carriage return at the end of a piece ends one line, not two', () => {
  const events = new EventReader();
  expect(events.read('event: head\r')).toEqual([]);
  expect(events.read('\ndata: 1\r\n\r\n')).toEqual(['head']);
});

const point = (lat: number, lon: number, precision_m: number) => ({
  s_e7: lat,
  n_e7: lat,
  w_e7: lon,
  e_e7: lon,
  precision_m,
});

const spaced = (place: Parameters<typeof placeText>[0]) => placeText(place).replaceAll('\u00a0', ' ');

test('places carry their axes and no finer digits than their precision', () => {
  expect(spaced(point(341_217_000, 710_936_000, 300))).toBe('34.122° N, 71.094° E ± 300 m');
  expect(spaced(point(337_101_720, 703_400_960, 50_000))).toBe('33.7° N, 70.3° E ± 50 km');
  expect(spaced(point(-5_000_000, -1_200_000_000, 2_500))).toBe('0.50° S, 120.00° W ± 2.5 km');
  expect(
    spaced({ s_e7: 334_900_000, w_e7: 701_000_000, n_e7: 335_170_000, e_e7: 701_320_000, precision_m: 50 }),
  ).toBe('33.4900° N, 70.1000° E … 33.5170° N, 70.1320° E ± 50 m');
});

test('a box that carries all uncertainty has nothing beside it', () => {
  expect(spaced({ s_e7: 334_900_000, w_e7: 701_000_000, n_e7: 335_170_000, e_e7: 701_320_000, precision_m: 0 })).toBe(
    '33.4900° N, 70.1000° E … 33.5170° N, 70.1320° E',
  );
});

test('lines and crossings are read from what the node gives', () => {
  const geometry = { type: 'MultiLineString', coordinates: [[[60, 29], [61, 30]], [[62, 31], [63, 32]]] };
  expect(linesOf({ type: 'FeatureCollection', features: [{ type: 'Feature', geometry }] })).toHaveLength(2);
  expect(linesOf([{ geometry, source: 's', status: {} }])).toHaveLength(2);
  expect(linesOf(null)).toEqual([]);
  const gate = { id: 'torkham', name: { en: 'Torkham' }, lat_e7: 341_217_000, lon_e7: 710_936_000, precision_m: 300 };
  expect(crossingsOf([gate])).toEqual(crossingsOf({ crossing: [gate] }));
  expect(crossingsOf([gate])[0]).toMatchObject({ id: 'torkham', lat: 34.1217, lon: 71.0936 });
});

test('north is up and east is to the right', () => {
  const frame = project([
    { lat: 30, lon: 60 },
    { lat: 36, lon: 72 },
  ], 900);
  expect(frame.x(72)).toBeGreaterThan(frame.x(60));
  expect(frame.y(36)).toBeLessThan(frame.y(30));
});

test('an address leaves out what is empty', () => {
  expect(address('/api/judgment', { as_of: '2026-11-24T20:00:00Z', known_by: '' })).toBe(
    '/api/judgment?as_of=2026-11-24T20%3A00%3A00Z',
  );
  expect(address('/api/judgment', {})).toBe('/api/judgment');
});

test('the types are those of the described interface', async () => {
  const described = new URL('../../docs/reference/openapi.json', import.meta.url);
  const made = COMMENT_HEADER + astToString(await openapiTS(JSON.parse(readFileSync(described, 'utf8'))));
  const committed = readFileSync(new URL('../src/openapi.d.ts', import.meta.url), 'utf8');
  expect(committed === made, 'src/openapi.d.ts is old; hint: npm run types').toBe(true);
});
