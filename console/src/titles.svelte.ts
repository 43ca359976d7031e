// Titles of commitments in the reader's language, from the agreement itself; the node's own where it has none.
import { address, get, type Verdict } from './api';
import { inLanguage, reader } from './reader.svelte';

interface Titled {
  id?: string;
  commitment?: string;
  label?: string;
  title?: string | Record<string, string>;
}

class Titles {
  private known = $state.raw<Record<string, Record<string, string>>>({});
  private asked = new Set<string>();

  /** Fetches the agreement in the reader's language, once. */
  load(tag: string): void {
    if (this.asked.has(tag)) return;
    this.asked.add(tag);
    get<unknown>(address('/api/agreement', { lang: tag }))
      .then((agreement) => {
        const found: Record<string, string> = {};
        collect(agreement, found);
        this.known = { ...this.known, [tag]: found };
      })
      // Without it the verdicts' own titles stand; the next visit asks again.
      .catch(() => this.asked.delete(tag));
  }

  of(verdict: Verdict): { text: string; lang?: string } {
    const text = this.known[reader.tag]?.[verdict.commitment];
    return text ? { text, lang: reader.tag } : inLanguage(verdict.title);
  }
}

/** Every commitment in the answer, whatever it is nested in: `{ "id": "C14", "title": "Acknowledge" }`. */
function collect(value: unknown, into: Record<string, string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, into);
  else if (value && typeof value === 'object') {
    const { id, commitment, label, title } = value as Titled;
    const name = [commitment, id, label].find((text) => typeof text === 'string' && /^C\d+$/.test(text));
    const text = inLanguage(title).text;
    if (name && text) into[name] = text;
    for (const inner of Object.values(value)) collect(inner, into);
  }
}

export const titles = new Titles();
