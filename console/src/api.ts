// What a node answers, and how to ask it.
//
//     const state = await get<NodeState>('/api/state');
//     -> { node: 'P1', now: '2026-11-24T20:00:00Z', heads: [...] }
//
// Every answer that is not 2xx, and every silence, becomes a `Problem` with a title and, where the node gave one, a hint.
// The shapes are made from docs/reference/openapi.json by `npm run types`; a test holds them together.
import type { components } from './openapi';

type Schemas = components['schemas'];

export type InstantText = Schemas['Instant'];
export type StateWord = Schemas['VerdictState'];
export type Interval = Schemas['LoggedAt'];
export type Cite = Schemas['Cite'];
export type Verdict = Schemas['Verdict'];
export type Judgment = Schemas['Judgment'];
export type NodeState = Schemas['State'];
export type Peer = Schemas['Peer'];
export type Change = Schemas['Change'];
export type Comparison = Schemas['Comparison'];
export type Place = Schemas['Place'];
export type Entry = Schemas['Entry'];
export type Occurred = NonNullable<Entry['occurred_at']>;
export type Entries = Schemas['Page'];
export type Refusal = Schemas['Refusal'];
export type Session = Schemas['Session'];
export type SignIn = Schemas['SignIn'];
export type ByPasskey = Schemas['ByPasskey'];
export type Challenge = Schemas['Challenge'];
export type NewPasskey = Schemas['NewPasskey'];
export type Passkey = Schemas['Passkey'];
export type Read = Schemas['Read'];
export type Crossing = Schemas['Crossing'];
export type Withheld = Schemas['Withheld'];

/** In the order in which they ask for attention. */
export const stateWords: readonly StateWord[] = ['breached', 'disputed', 'pending', 'kept'];

/** What the node could not or would not do, in its own words (RFC 9457), or that it did not answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string | null,
    readonly detail: string | null = null,
    readonly where: string | null = null,
    readonly hint: string | null = null,
    readonly type: string | null = null,
  ) {
    super(title ?? detail ?? 'unreachable');
  }

  /** `right` of `urn:hamsaya:problem:right`. */
  get name(): string {
    return this.type?.split(':').at(-1) ?? '';
  }

  /** Whoever asks lacks a right, or is not known any more. */
  get refusesReader(): boolean {
    return this.name === 'right' || this.status === 401;
  }

  /** The node did not answer at all. */
  get silent(): boolean {
    return this.status === 0;
  }
}

/** Who asks: somebody who sits here, or the page because something may have changed. */
export type Asks = 'by hand' | 'by itself';

/** Asks the node that served this page. The node writes down what is asked by itself as such. */
export function get<T>(path: string, signal?: AbortSignal, asks: Asks = 'by hand'): Promise<T> {
  return ask<T>(path, { signal, headers: asks === 'by itself' ? { 'hamsaya-refresh': 'auto' } : {} });
}

/** Sends JSON, or nothing; the answer may be empty. */
export function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  if (body === undefined) return ask<T>(path, { method });
  return ask<T>(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers: { accept: 'application/json', ...init.headers }, cache: 'no-store' });
  } catch (failure) {
    if (init.signal?.aborted) throw failure;
    throw new Problem(0, null, null, path);
  }
  if (answer.status === 204) return undefined as T;
  if (answer.ok) {
    try {
      return (await answer.json()) as T;
    } catch {
      throw new Problem(answer.status, null, null, path);
    }
  }
  const said = await answer.json().catch(() => ({}));
  throw new Problem(
    answer.status,
    said.title || `${answer.status} ${answer.statusText}`.trim(),
    said.detail || null,
    said.field || path,
    said.hint || null,
    said.type || null,
  );
}

/** An address under `/api` with its query; what is null or empty is left out. */
export function address(path: string, query: Record<string, string | number | null | undefined>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `${path}?${text}` : path;
}
