// Words of one language, from `locales/<language>/*.ftl`: the files that the command and the reports read.
//
//     new Words('ps').say('state-kept')      -> ترسره شوی
//     new Words('en').duration(5_400)        -> 1 h 30 min
//     new Words('fa-AF').digits('14:05')     -> ۱۴:۰۵
//
// Numbers reach a message as text whose digits are already the reader's: the browser's own number formats differ
// between browsers (Chromium has none for Pashto).
import { FluentBundle, FluentResource } from '@fluent/bundle';

export interface Language {
  tag: string;
  dir: 'ltr' | 'rtl';
  /** What its speakers call it. */
  own: string;
  digits: 'latin' | 'arabext';
  calendar: 'solar' | 'gregorian';
}

export const languages: readonly Language[] = [
  { tag: 'en', dir: 'ltr', own: 'English', digits: 'latin', calendar: 'gregorian' },
  { tag: 'fa-AF', dir: 'rtl', own: 'دری', digits: 'arabext', calendar: 'solar' },
  { tag: 'ps', dir: 'rtl', own: 'پښتو', digits: 'arabext', calendar: 'solar' },
  { tag: 'ur', dir: 'rtl', own: 'اردو', digits: 'latin', calendar: 'gregorian' },
];

export function language(tag: string | null | undefined): Language | undefined {
  if (!tag) return undefined;
  const wanted = tag.toLowerCase();
  return (
    languages.find((l) => l.tag.toLowerCase() === wanted) ??
    languages.find((l) => l.tag.split('-')[0] === wanted.split('-')[0])
  );
}

const files = import.meta.glob<string>(['../../locales/*/console.ftl', '../../locales/*/verdicts.ftl'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** Left-to-right isolate, for a code inside a sentence that cannot hold an element (a label, a title). */
export function ltr(text: string): string {
  return `\u2066${text}\u2069`;
}

const units: readonly [string, number][] = [
  ['unit-days', 86_400],
  ['unit-hours', 3_600],
  ['unit-minutes', 60],
  ['unit-seconds', 1],
];

export class Words {
  readonly language: Language;
  /** No native speaker has approved these words yet. */
  readonly isDraft: boolean;
  private readonly bundle: FluentBundle;

  constructor(tag: string) {
    this.language = language(tag) ?? languages[0]!;
    this.bundle = new FluentBundle(this.language.tag, { useIsolating: this.language.dir === 'rtl' });
    let isDraft = false;
    for (const [path, source] of Object.entries(files)) {
      if (path.split('/').at(-2) !== this.language.tag) continue;
      this.bundle.addResource(new FluentResource(source));
      isDraft ||= source.includes('# needs native review');
    }
    this.isDraft = isDraft;
  }

  has(id: string): boolean {
    return this.bundle.hasMessage(id);
  }

  /** A message with its arguments. An id that no file has is said as it is: a reader can still ask about it. */
  say(id: string, args: Record<string, string> = {}): string {
    const pattern = this.bundle.getMessage(id)?.value;
    return pattern ? this.bundle.formatPattern(pattern, args, []) : id;
  }

  /** The message for a code of the node, or the code itself if the languages have no word for it. */
  code(prefix: string, code: string): string {
    const id = `${prefix}-${code}`;
    return this.has(id) ? this.say(id) : code;
  }

  /** Digits of prose. Codes, coordinates, hashes and UTC instants never come here. */
  digits(text: string | number): string {
    const plain = String(text);
    if (this.language.digits === 'latin') return plain;
    return plain.replace(/[0-9]/g, (digit) => String.fromCharCode(0x06f0 + Number(digit)));
  }

  /** A length of time in its two largest units: `10 d 1 h`, `12 min`. The sign is dropped. */
  duration(seconds: number): string {
    let rest = Math.abs(Math.trunc(seconds));
    const said: string[] = [];
    let first = -1;
    for (const [place, [unit, length]] of units.entries()) {
      const n = Math.floor(rest / length);
      rest %= length;
      if (first < 0 && n === 0 && place < units.length - 1) continue;
      if (first < 0) first = place;
      if (place > first + 1) break;
      if (place === first || n > 0) said.push(this.say(unit, { n: this.digits(n) }));
    }
    return said.join(' ');
  }
}
