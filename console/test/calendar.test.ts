import { expect, test } from 'vitest';
import { day, dayOf, daysDiffer, edtfDays, hour, utc, weekday } from '../src/calendar';
import { languages, Words } from '../src/words';

const at = (text: string) => new Date(text);

// The same table as the command's: one day in four languages.
test.each([
  ['en', '25 Nov 2026'],
  ['fa-AF', '۴ قوس ۱۴۰۵'],
  ['ps', '۴ لیندۍ ۱۴۰۵'],
  ['ur', '25 نومبر 2026'],
])('25 Nov 2026 in %s is %s', (tag, expected) => {
  expect(day(new Words(tag), at('2026-11-25T12:00:00Z'), 'UTC')).toBe(expected);
});

test.each([
  // The year turns at the equinox; 1403 was a leap year, 1404 was not.
  ['2025-03-20T12:00:00Z', 1403, 12, 30],
  ['2025-03-21T12:00:00Z', 1404, 1, 1],
  ['2026-03-20T12:00:00Z', 1404, 12, 29],
  ['2026-03-21T12:00:00Z', 1405, 1, 1],
  ['2026-09-22T12:00:00Z', 1405, 6, 31],
  ['2026-09-23T12:00:00Z', 1405, 7, 1],
  ['1992-09-15T12:00:00Z', 1371, 6, 24],
])('%s is %i-%i-%i in the Solar Hijri year', (text, year, month, date) => {
  expect(dayOf(at(text), 'solar', 'UTC')).toMatchObject({ year, month, day: date });
});

test('one instant has three renderings, and the day differs', () => {
  const start = at('2026-11-24T20:00:00Z');
  expect([hour(start, 'Asia/Kabul'), hour(start, 'Asia/Karachi'), utc(start)]).toEqual([
    '00:30',
    '01:00',
    '2026-11-24 20:00 UTC',
  ]);
  expect(daysDiffer(start, 'Asia/Kabul', 'UTC')).toBe(true);
  // 23:45 in Kabul is 00:15 of the next day in Karachi.
  expect(daysDiffer(at('2026-11-24T19:15:00Z'), 'Asia/Kabul', 'Asia/Karachi')).toBe(true);
  expect(weekday(new Words('en'), start, 'Asia/Kabul')).toBe('Wed');
  expect(weekday(new Words('en'), start, 'UTC')).toBe('Tue');
});

test('seconds are shown where there are some', () => {
  expect(hour(at('2026-11-24T20:00:05Z'), 'UTC')).toBe('20:00:05');
  expect(utc(at('2026-11-24T20:00:05Z'))).toBe('2026-11-24 20:00:05 UTC');
});

test.each(languages.map(({ tag }) => tag))('every month and weekday has a name in %s', (tag) => {
  const words = new Words(tag);
  for (const calendar of ['solar', 'gregorian']) {
    for (let month = 1; month <= 12; month += 1) expect(words.has(`month-${calendar}-${month}`)).toBe(true);
  }
  for (let n = 1; n <= 7; n += 1) expect(words.has(`weekday-${n}`)).toBe(true);
});

test.each([
  ['1992-09-26', '1992-09-26', '1992-09-26', false],
  ['1992-09-15/1992-09-18', '1992-09-15', '1992-09-18', false],
  ['1992-02~', '1992-02-01', '1992-02-29', true],
  ['1992-02-01~/1992-09-05~', '1992-02-01', '1992-09-05', true],
])('EDTF %s runs from %s to %s', (text, from, to, approximate) => {
  const days = edtfDays(text);
  expect(days && [days.from.toISOString().slice(0, 10), days.to.toISOString().slice(0, 10), days.approximate]).toEqual([
    from,
    to,
    approximate,
  ]);
});

test.each(['', 'yesterday', '1992', '1992-09-15/1992-09-18/1992-09-20', '1992-13-45'])('EDTF %j is left alone', (text) => {
  expect(edtfDays(text)).toBeNull();
});
