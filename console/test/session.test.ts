import { afterEach, expect, test, vi } from 'vitest';
import { get, Problem, type Session } from '../src/api';
import { session } from '../src/session.svelte';
import { together, withheldLines } from '../src/withheld';

const purposes = ['duty'];
const nobody: Session = { office: null, role: 'public', reads: ['gate'], purposes };
const chair: Session = { office: 'chair', role: 'commission_chair', reads: ['finding', 'gate'], purposes };

/** A node that knows who is signed in, as these tests need it. */
function node(said: Session) {
  const asked: string[] = [];
  const answers = { said, status: 200 };
  vi.stubGlobal('fetch', async (path: string, { method = 'GET' }: RequestInit) => {
    asked.push(`${method} ${path}`);
    if (answers.status !== 200) {
      return new Response(JSON.stringify({ type: 'urn:hamsaya:problem:sign_in', title: 'x' }), { status: answers.status });
    }
    if (method === 'POST') answers.said = chair;
    if (method === 'DELETE') answers.said = nobody;
    return method === 'DELETE' ? new Response(null, { status: 204 }) : new Response(JSON.stringify(answers.said));
  });
  return { asked, answers };
}
afterEach(() => vi.unstubAllGlobals());

test('whoever signs in is somebody else than before, and what was read is forgotten', async () => {
  let forgotten = 0;
  session.whenChanged = () => (forgotten += 1);
  const { asked, answers } = node(nobody);
  expect([session.isSignedIn, session.reads('finding')]).toEqual([null, null]);
  await session.load();
  expect([session.isSignedIn, session.reads('finding'), session.reads('gate')]).toEqual([false, false, true]);
  expect(forgotten).toBe(0);

  await session.signIn({ office: 'chair', password: 'correct horse', purpose: 'duty' });
  expect(asked.slice(1)).toEqual(['POST /api/session', 'GET /api/session']);
  expect([session.isSignedIn, session.reads('finding'), session.hasEnded, forgotten]).toEqual([true, true, false, 1]);
  await session.load();
  expect(forgotten).toBe(1);

  // The node started again, or the watch is over.
  answers.said = nobody;
  await session.load();
  expect([session.isSignedIn, session.hasEnded, forgotten]).toEqual([false, true, 2]);

  await session.signIn({ office: 'chair', password: 'correct horse', purpose: 'duty' });
  expect(session.hasEnded).toBe(false);
  await session.signOut();
  expect([session.isSignedIn, session.hasEnded, forgotten]).toEqual([false, false, 4]);
});

test('who was asked for before signing in says nothing after it', async () => {
  node(nobody);
  let late: (answer: Response) => void = () => {};
  const quick = fetch;
  vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => (late = resolve)));
  const asked = session.load();
  vi.stubGlobal('fetch', quick);
  await session.signIn({ office: 'chair', password: 'correct horse', purpose: 'duty' });
  late(new Response(JSON.stringify(nobody)));
  await asked;
  expect([session.isSignedIn, session.hasEnded]).toEqual([true, false]);
});

test('a node that is silent or refuses changes nobody', async () => {
  const { answers } = node(chair);
  await session.load();
  answers.status = 503;
  await session.load();
  expect(session.isSignedIn).toBe(true);
  answers.status = 401;
  const wrong = session.signIn({ office: 'chair', password: 'wrong', purpose: 'duty' });
  await expect(wrong).rejects.toMatchObject({ status: 401, name: 'sign_in' });
});

test('a problem says whether the reader is refused', async () => {
  const refuses = (status: number, name: string) => new Problem(status, 'x', null, null, null, `urn:hamsaya:problem:${name}`).refusesReader;
  expect([refuses(403, 'right'), refuses(401, 'signed_request')]).toEqual([true, true]);
  expect([refuses(403, 'marking'), refuses(403, 'handling'), refuses(404, 'not_found')]).toEqual([false, false, false]);
  vi.stubGlobal('fetch', async () => new Response('nothing to read', { status: 502, statusText: 'Bad Gateway' }));
  await expect(get('/api/state')).rejects.toMatchObject({ status: 502, title: '502 Bad Gateway', name: '' });
});

test('what is withheld is told by marking and column, and never of TLP:RED', () => {
  expect(withheldLines({ 'TLP:AMBER+STRICT': 3, 'column training': 2, 'TLP:RED': 1, nothing: 4, 'TLP:GREEN': 0 })).toEqual([
    { marking: 'TLP:AMBER+STRICT', n: 3 },
    { column: 'training', n: 2 },
  ]);
  expect(withheldLines({})).toEqual([]);
  expect(together({ 'TLP:AMBER': 3, 'column gate': 1 }, { 'TLP:AMBER': 2, 'column training': 1 })).toEqual({
    'TLP:AMBER': 5,
    'column gate': 1,
    'column training': 1,
  });
});
