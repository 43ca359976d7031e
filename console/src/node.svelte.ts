// What this node says, kept fresh: its state, judgment and changes, its clock, and whether the connection lives.
//
// One object for the whole page. Events are hints: each raises `version`, and whoever shows something fetches again.
import { get, Problem, type Asks, type Change, type Judgment, type NodeState, type Peer } from './api';
import { attention } from './attention.svelte';
import { listen } from './live';
import { defaultZones } from './calendar';
import { session } from './session.svelte';

/** Something fetched: what came last stays while the next is asked for, with the instant at which it came. */
export class Reading<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  /** Milliseconds of the browser's clock. */
  readAt = $state<number | null>(null);
  private asked: AbortController | null = null;
  private path: string | null = null;

  async load(path: string): Promise<void> {
    this.asked?.abort();
    const mine = new AbortController();
    this.asked = mine;
    // Another address is asked for because somebody went there.
    const asks = path === this.path ? node.asks : 'by hand';
    this.path = path;
    this.loading = true;
    try {
      const data = await get<T>(path, mine.signal, asks);
      if (this.asked !== mine) return;
      this.data = data;
      this.problem = null;
      this.readAt = Date.now();
    } catch (failure) {
      if (mine.signal.aborted || this.asked !== mine) return;
      this.problem = failure instanceof Problem ? failure : new Problem(0, null, String(failure), path);
      if (this.problem.refusesReader) void session.load();
    }
    this.loading = false;
  }

  /** Nothing of it stays: somebody else may sit here now. */
  forget(): void {
    this.asked?.abort();
    this.asked = this.path = null;
    this.data = this.problem = this.readAt = null;
    this.loading = false;
  }
}

const silence_ms = 30_000;
const poll_ms = 10_000;
/** A peer unheard for so long is named. */
const peerSilence_ms = 300_000;
/** At most one round of fetches in this time, however many events come. */
const pace_ms = 1_000;

class Node {
  state = new Reading<NodeState>();
  judgment = new Reading<Judgment>();
  changes = new Reading<Change[]>();
  /** Rises whenever something may have changed. */
  version = $state(0);
  isLive = $state(false);
  /** The last sign of life, in milliseconds of the browser's clock. */
  heardAt = $state<number | null>(null);
  /** The browser's clock, once a second. */
  private tick = $state(Date.now());
  private dirty: ReturnType<typeof setTimeout> | null = null;
  private refreshedAt = 0;
  /** For whom what is shown is asked for again. */
  asks: Asks = 'by hand';

  /** Node clock minus browser clock when the state was read, in milliseconds. */
  offset_ms = $derived.by(() => {
    const { data, readAt } = this.state;
    return data?.now && readAt ? Date.parse(data.now) - readAt : 0;
  });

  standsStill = $derived(this.state.data?.clock === 'scenario');

  /** The node's time. A scenario clock stands still between the steps of its scenario. */
  now = $derived.by(() => {
    const state = this.state.data;
    if (!state?.now) return null;
    return new Date(this.standsStill ? Date.parse(state.now) : this.tick + this.offset_ms);
  });

  /** Seconds by which the clocks differ, or null if they agree or the clock is a scenario's. */
  clockGap_s = $derived.by(() => {
    const gap = Math.round(this.offset_ms / 1000);
    return !this.state.data?.now || this.standsStill || Math.abs(gap) < 3 ? null : gap;
  });

  /** Peers not heard for long. Under a scenario clock minutes do not pass by themselves, and a peer's age says nothing. */
  silentPeers = $derived.by(() => {
    const now = this.now?.getTime();
    if (now === undefined || this.standsStill) return [];
    const isSilent = (peer: Peer) => !peer.seen_at || now - Date.parse(peer.seen_at) > peerSilence_ms;
    return this.state.data?.peers.filter(isSilent) ?? [];
  });

  /** Zones of the two parties: the same for every agreement until one names its own. */
  readonly zones = defaultZones;

  head = $derived.by(() => {
    const state = this.state.data;
    return state?.heads.find((head) => head.origin === state.origin || head.node === state.node) ?? null;
  });

  /** Fetches everything now that whoever is signed in may read. */
  refresh(asks: Asks = 'by hand'): void {
    this.refreshedAt = Date.now();
    void this.state.load('/api/state');
    void session.load().then(() => {
      this.asks = asks;
      this.fetch();
    });
  }

  /** Somebody asks for something again that is shown already. */
  byHand<T>(ask: () => T): T {
    this.asks = 'by hand';
    return ask();
  }

  private fetch(): void {
    this.version += 1;
    // A node that does not say who is signed in is asked all the same: what is wrong with it is told there.
    if (session.reads('finding') === false) return;
    void this.judgment.load('/api/judgment');
    void this.changes.load('/api/changes');
  }

  /** Somebody else is signed in than before. */
  private forget(): void {
    this.state.forget();
    this.judgment.forget();
    this.changes.forget();
    this.asks = 'by hand';
    void this.state.load('/api/state');
    this.fetch();
  }

  /** Fetches soon, once for many hints; not while nobody sits here. */
  private hint(): void {
    if (this.dirty || attention.isPaused) return;
    const wait_ms = Math.max(50, this.refreshedAt + pace_ms - Date.now());
    this.dirty = setTimeout(() => {
      this.dirty = null;
      this.refresh('by itself');
    }, wait_ms);
  }

  /** Starts to listen; returns how to stop. */
  start(): () => void {
    const stop = new AbortController();
    session.whenChanged = () => this.forget();
    attention.whenBack = () => this.refresh();
    const inattentive = attention.start();
    this.refresh();
    void listen(
      {
        hint: () => this.hint(),
        heard: () => {
          this.isLive = true;
          this.heardAt = Date.now();
        },
        lost: () => {
          this.isLive = false;
        },
      },
      stop.signal,
    );
    const second = setInterval(() => {
      this.tick = Date.now();
      if (this.heardAt !== null && this.tick - this.heardAt > silence_ms) this.isLive = false;
      // What anybody may see is written down for nobody: it stays fresh.
      if (session.isSignedIn) attention.look(this.tick);
      if (!this.isLive && !attention.isPaused && this.tick - this.refreshedAt > poll_ms) this.refresh('by itself');
    }, 1_000);
    return () => {
      stop.abort();
      inattentive();
      clearInterval(second);
    };
  }
}

export const node = new Node();
