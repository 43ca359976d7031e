// Instants as people read them: the day in the reader's calendar, the hour in both parties' zones and in UTC.
//
//     day(words('fa-AF'), at('2026-11-25T00:00:00Z'), 'UTC')    -> ۴ قوس ۱۴۰۵
//     day(words('ps'), …)                                        -> ۴ لیندۍ ۱۴۰۵
//
// Chromium has no Pashto dates (it prints English without a word), and its Dari names are not Afghanistan's. So the
// browser gives day numbers only; names and order come from `locales/`, digits from `Words`.
import type { Words } from './words';

/** Zones of the two parties, until the agreement names others. */
export const defaultZones: readonly string[] = ['Asia/Kabul', 'Asia/Karachi'];

export type Calendar = 'solar' | 'gregorian';

export interface Day {
  year: number;
  month: number;
  day: number;
  /** 1 is Monday. */
  weekday: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(calendar: 'persian' | 'gregory', zone: string): Intl.DateTimeFormat {
  const key = `${calendar} ${zone}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(`en-u-ca-${calendar}-nu-latn`, {
      timeZone: zone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(key, made);
  }
  return made;
}

const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

function parts(at: Date, calendar: Calendar, zone: string): Map<string, string> {
  const made = format(calendar === 'solar' ? 'persian' : 'gregory', zone).formatToParts(at);
  return new Map(made.map((part) => [part.type, part.value]));
}

/** Numbers of the day on which `at` falls in `zone`. */
export function dayOf(at: Date, calendar: Calendar, zone: string): Day {
  const found = parts(at, calendar, zone);
  const number = (name: string) => Number.parseInt(found.get(name) ?? '', 10);
  return {
    year: number('year'),
    month: number('month'),
    day: number('day'),
    weekday: weekdays.indexOf(found.get('weekday') ?? '') + 1,
  };
}

/** `4 قوس ۱۴۰۵`, `25 Nov 2026`: the day in a calendar, in words of the language. */
export function day(words: Words, at: Date, zone: string, calendar: Calendar = words.language.calendar): string {
  const { year, month, day } = dayOf(at, calendar, zone);
  const said = words.say('date', {
    day: words.digits(day),
    month: words.say(`month-${calendar}-${month}`),
    year: words.digits(year),
  });
  // A date is one phrase of one script: isolates inside it would only get in the way of copying it.
  return said.replace(/[\u2068\u2069]/g, '');
}

export function weekday(words: Words, at: Date, zone: string): string {
  return words.say(`weekday-${dayOf(at, 'gregorian', zone).weekday}`);
}

/** `00:30`, with seconds only where there are some. Latin digits: the caller chooses. */
export function hour(at: Date, zone: string): string {
  const found = parts(at, 'gregorian', zone);
  const seconds = found.get('second');
  return `${found.get('hour')}:${found.get('minute')}${seconds === '00' ? '' : `:${seconds}`}`;
}

/** `2026-11-24 20:00 UTC`, always in Latin digits, to be printed by `Ltr`. */
export function utc(at: Date): string {
  const text = at.toISOString();
  return `${text.slice(0, 10)} ${text.slice(17, 19) === '00' ? text.slice(11, 16) : text.slice(11, 19)} UTC`;
}

/** Whether `at` falls on different days in two zones. */
export function daysDiffer(at: Date, zone: string, other: string): boolean {
  const [a, b] = [dayOf(at, 'gregorian', zone), dayOf(at, 'gregorian', other)];
  return a.day !== b.day || a.month !== b.month || a.year !== b.year;
}

/** Days of an EDTF date or interval (`1992-09-15/1992-09-18`, `1992-02~`), or null if it is of another form. */
export function edtfDays(text: string): { from: Date; to: Date; approximate: boolean; isMonth: boolean } | null {
  const [first, last = first, ...more] = text.split('/');
  if (first === undefined || last === undefined || more.length > 0) return null;
  const date = /^(\d{4})-(\d{2})(?:-(\d{2}))?([~?%]?)$/;
  const [a, b] = [date.exec(first), date.exec(last)];
  if (!a || !b) return null;
  const from = new Date(`${a[1]}-${a[2]}-${a[3] ?? '01'}T12:00:00Z`);
  const to = b[3]
    ? new Date(`${b[1]}-${b[2]}-${b[3]}T12:00:00Z`)
    : new Date(Date.UTC(Number(b[1]), Number(b[2]), 0, 12));
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return null;
  return { from, to, approximate: Boolean(a[4] || b[4]), isMonth: !a[3] };
}
