// What the reader chose: language and theme. Remembered in this browser; `?lang=ps` in the address wins.
import { language, languages, Words } from './words';

export type Theme = 'light' | 'dark';

function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    // Storage may be shut off; then nothing is remembered.
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // See `remembered`.
  }
}

function firstLanguage(): string {
  const asked = new URLSearchParams(location.search).get('lang');
  const known = [asked, remembered('hamsaya.language'), ...navigator.languages].map(language).find(Boolean);
  return (known ?? languages[0]!).tag;
}

function firstTheme(): Theme {
  const known = remembered('hamsaya.theme');
  if (known === 'light' || known === 'dark') return known;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

class Reader {
  tag = $state(firstLanguage());
  theme = $state<Theme>(firstTheme());
  words = $derived(new Words(this.tag));

  chooseLanguage(tag: string): void {
    this.tag = tag;
    remember('hamsaya.language', tag);
    const here = new URL(location.href);
    here.searchParams.set('lang', tag);
    history.replaceState(history.state, '', here);
  }

  chooseTheme(theme: Theme): void {
    this.theme = theme;
    remember('hamsaya.theme', theme);
  }
}

export const reader = new Reader();

export function say(id: string, args?: Record<string, string>): string {
  return reader.words.say(id, args);
}

/** A whole number in the reader's digits. */
export function number(n: number): string {
  return reader.words.digits(n);
}

/** A text that may come in several languages: the reader's, else English, else any. */
export function inLanguage(text: string | Record<string, string> | null | undefined): { text: string; lang?: string } {
  if (text === null || text === undefined) return { text: '' };
  if (typeof text === 'string') return { text };
  for (const tag of [reader.tag, 'en', ...Object.keys(text)]) {
    const found = text[tag];
    if (found) return { text: found, lang: tag };
  }
  return { text: '' };
}
