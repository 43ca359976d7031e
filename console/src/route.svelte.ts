// The address behind `#`: a page and what is open on it, so that every row can be sent to somebody.
//
//     #/verdicts?state=breached&open=C32.lane(K1, P2)
//     #/record?origin=p1.example/hamsaya/1&index=3

export const pages = ['clocks', 'verdicts', 'changes', 'record', 'incidents', 'crossings', 'reads', 'passkeys', 'signin'] as const;
export type Page = (typeof pages)[number];

/** The column that a page shows; of the others everybody sees what they may see. */
export const columns: { [page in Page]?: string } = {
  clocks: 'finding',
  verdicts: 'finding',
  changes: 'finding',
  reads: 'read_log',
};

function read(): { page: Page; isNamed: boolean; query: URLSearchParams } {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const page = pages.find((name) => name === path);
  return { page: page ?? 'clocks', isNamed: page !== undefined, query: new URLSearchParams(query) };
}

/** Where to sign in, so that this very page comes back. */
export function signIn(): string {
  // From the page on which the public arrives an office goes to its clocks.
  const isEntrance = route.page === 'signin' || route.page === 'crossings';
  return isEntrance ? link('signin') : link('signin', { then: location.hash.replace(/^#\/?/, '') });
}

class Route {
  private at = $state.raw(read());

  constructor() {
    addEventListener('hashchange', () => (this.at = read()));
  }

  get page(): Page {
    return this.at.page;
  }

  /** To another page of this console; any text leads to some page of it. */
  go(to: string): void {
    location.replace(`#/${to}`);
  }

  /** Whether the address names a page. */
  get isNamed(): boolean {
    return this.at.isNamed;
  }

  get(name: string): string {
    return this.at.query.get(name) ?? '';
  }

  /** Changes what is open on this page without a new step in the history. */
  set(changes: Record<string, string>): void {
    const query = new URLSearchParams(this.at.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    history.replaceState(history.state, '', link(this.at.page, query));
    this.at = read();
  }
}

export const route = new Route();

export function link(page: Page, query: URLSearchParams | Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return text ? `#/${page}?${text}` : `#/${page}`;
}
