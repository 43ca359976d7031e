// What a node answers, and how to ask it.
//
//     const state = await get<NodeState>('/api/state');
//     -> { node: 'P1', now: '2026-11-24T20:00:00Z', heads: [...] }
//
// Every answer that is not 2xx, and every silence, becomes a `Problem` with a title and, where the node gave one, a hint.
// The shapes follow docs/reference/openapi.json.

/** A UTC instant as the node writes it: `2026-11-24T20:00:00Z`. */
export type InstantText = string;

export type StateWord = 'kept' | 'breached' | 'pending' | 'disputed';

export const stateWords: readonly StateWord[] = ['breached', 'disputed', 'pending', 'kept'];

export interface Interval {
  lo: InstantText | null;
  hi: InstantText | null;
}

export interface Cite {
  origin: string;
  index: number;
  statement_id: string;
  kind: string;
  party: string;
  logged_at: Interval;
}

export interface Field {
  name: string;
  value: string;
}

export interface Missing {
  kind: string;
  fields: Field[];
  from: InstantText | null;
  to: InstantText | null;
}

export interface Reasons {
  opened_by: Cite[];
  because: Cite[];
  missing: Missing[];
  disputed: Cite[];
  flip: Cite[];
  proof: string[];
}

export interface Verdict {
  label: string;
  commitment: string;
  part: string | null;
  address: string;
  /** By language; null if the agreement has none. */
  title: Record<string, string> | string | null;
  valuation: Field[];
  bearer: string;
  state: StateWord;
  reason: string;
  since: InstantText | null;
  opened: InstantText | null;
  due: InstantText | null;
  until: InstantText | null;
  breached_since: InstantText | null;
  kept_at: InstantText | null;
  margin_s: number | null;
  reasons: Reasons;
}

export interface Judgment {
  as_of: InstantText;
  known_by: InstantText;
  digest: string;
  agreement: string;
  heads: { origin: string; size: number; root: string }[];
  counts: Record<StateWord, number>;
  verdicts: Verdict[];
}

export interface Head {
  node: string;
  origin: string;
  size: number;
  root: string;
  published_size: number;
  published_at: InstantText | null;
  witnesses: { name: string; time: InstantText | null }[];
  quorum: number;
  cosignatures: number;
}

export interface Peer {
  name: string;
  url: string;
  role: string;
  seen_at: InstantText | null;
}

export interface NodeState {
  node: string;
  role: string;
  origin: string | null;
  now: InstantText | null;
  clock: 'system' | 'scenario';
  status: string;
  /** Null at a node that only witnesses. */
  agreement: { title: Record<string, string> | string; digest: string; languages: string[]; zones?: string[] } | null;
  heads: Head[];
  peers: Peer[];
  refused: number;
  /** What somebody must look into, in the node's words. */
  alarms?: string[];
  version: string;
}

export interface Change {
  at: InstantText;
  label: string;
  before: StateWord | null;
  after: StateWord | null;
  because: 'clock' | Cite[];
}

export interface Comparison {
  equal: boolean;
  mine: string;
  theirs: string;
  first_difference: { label: string | null; origin: string | null; index: number | null } | null;
  /** Entries that one of the two has not yet. */
  behind?: { node: string; origin: string; index: number }[];
  exchanges?: number;
}

export interface Place {
  s_e7: number;
  w_e7: number;
  n_e7: number;
  e_e7: number;
  precision_m: number;
  gazetteer_id?: string | null;
}

export interface Occurred {
  from: InstantText;
  to: InstantText;
  precision: string;
  edtf?: string | null;
}

export interface Entry {
  origin: string;
  index: number;
  statement_id: string;
  act: string;
  kind: string;
  party: string;
  source: string;
  stated_at: InstantText;
  occurred_at: Occurred | null;
  logged_at: Interval | null;
  marking: string;
  place: Place | null;
  source_grade?: string | null;
  info_grade?: number | null;
  fields: Record<string, unknown>;
  files?: { name: string; sha256: string; bytes: number; media_type: string }[];
  refs: { rel: string; id: string }[];
  signers: (string | { keyid: string; node: string; role: string })[];
  drill: boolean;
  leaf?: string;
}

export interface Entries {
  entries: Entry[];
  next: number | null;
}

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

  /** The node did not answer at all. */
  get silent(): boolean {
    return this.status === 0;
  }
}

/** Asks the node that served this page. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { headers: { accept: 'application/json' }, cache: 'no-store', signal });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    throw new Problem(0, null, null, path);
  }
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
