import { afterEach, expect, test, vi } from 'vitest';
import type { Session } from '../src/api';
import { attention, pause_ms } from '../src/attention.svelte';
import { node, Reading } from '../src/node.svelte';
import { session } from '../src/session.svelte';

const chair: Session = { office: 'chair', role: 'commission_chair', reads: ['finding', 'gate'], purposes: ['duty'] };

/** What was asked, each with a mark if the page asked by itself. */
function asked(): string[] {
  const all: string[] = [];
  vi.stubGlobal('fetch', async (path: string, { headers }: { headers: Record<string, string> }) => {
    all.push(headers['hamsaya-refresh'] ? `${path} by itself` : path);
    return new Response(JSON.stringify(path === '/api/session' ? chair : {}));
  });
  return all;
}
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a pointer that moves wakes nobody, a key does', () => {
  let back = 0;
  attention.whenBack = () => (back += 1);
  attention.acted('moved', 0);
  attention.look(pause_ms - 1);
  expect(attention.isPaused).toBe(false);
  attention.acted('moved', pause_ms - 1);
  attention.look(2 * pause_ms - 2);
  expect(attention.isPaused).toBe(false);
  attention.look(2 * pause_ms - 1);
  attention.acted('moved', 2 * pause_ms);
  expect([attention.isPaused, back]).toEqual([true, 0]);
  attention.acted('pressed', 3 * pause_ms);
  attention.look(3 * pause_ms);
  expect([attention.isPaused, back]).toEqual([false, 1]);
});

test('what is asked again by itself says so, and what somebody asks does not', async () => {
  const all = asked();
  await session.load();
  const reading = new Reading<object>();
  const count = (n: number) => all.splice(0).slice(-n);
  node.refresh('by itself');
  await vi.waitFor(() => expect(all).toContain('/api/changes'));
  expect(all.splice(0)).toEqual(['/api/session', '/api/state', '/api/session', '/api/judgment', '/api/changes']);
  // A page that opens asks for the first time; then something changed.
  await reading.load('/api/reads');
  await reading.load('/api/reads');
  await reading.load('/api/reads?from=7');
  expect(count(3)).toEqual(['/api/reads', '/api/reads by itself', '/api/reads?from=7']);
  // Somebody presses "Ask again".
  await node.byHand(() => reading.load('/api/reads?from=7'));
  expect(count(1)).toEqual(['/api/reads?from=7']);
  node.refresh('by itself');
  await vi.waitFor(() => expect(all).toContain('/api/changes by itself'));
  expect(all).toContain('/api/judgment by itself');
});
