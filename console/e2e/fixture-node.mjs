// A node that answers from recorded JSON (e2e/fixtures), for what a running node cannot be made to say on demand: silence,
// errors, empty lists, a session that ends. It serves console/dist under the content security policy that the node uses.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, '../dist');

export const policy =
  "default-src 'self'; worker-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'";

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const recorded = (name) => JSON.parse(readFileSync(join(here, 'fixtures', `${name}.json`), 'utf8'));

function entriesOf(all, query) {
  const limit = Number(query.get('limit') ?? 100);
  const from = Number(query.get('from') ?? 0);
  const [origin, kind] = [query.get('origin'), query.get('kind')];
  const found = all.filter((e) => (!origin || e.origin === origin) && (!kind || e.kind === kind));
  const rest = found.sort((a, b) => a.index - b.index).filter((e) => e.index >= from);
  return { entries: rest.slice(0, limit), next: rest[limit]?.index ?? null, withheld: {} };
}

function readsOf({ total, head, reads }, query) {
  const from = Number(query.get('from') ?? 0);
  return { total, head, reads: reads.slice(from, from + Number(query.get('limit') ?? 100)) };
}

/** Who may sign in here: an office, what its role reads, one password for all. */
export const password = 'correct horse battery';
const everything = ['incident', 'allegation', 'access', 'finding', 'gate', 'siting', 'training', 'readiness', 'agreement', 'bundle'];
const offices = {
  chair: { role: 'commission_chair', reads: everything },
  'post-7': { role: 'post_duty_officer', reads: ['incident', 'gate', 'agreement', 'bundle'] },
  'data-protection': { role: 'data_protection_officer', reads: [...everything, 'read_log'] },
};
const purposes = ['duty', 'verification', 'decision', 'report', 'review', 'audit'];

/** What the node says of whoever is signed in; null: nobody is. */
function sessionOf(office) {
  const { role, reads } = offices[office] ?? { role: 'public', reads: ['gate', 'agreement', 'bundle'] };
  return { office, role, reads, purposes };
}

const refused = (status, name, title) => ({ problem: { status, type: `urn:hamsaya:problem:${name}`, title, detail: '', hint: '' } });
const columns = {
  '/api/judgment': 'finding',
  '/api/changes': 'finding',
  '/api/digest/compare': 'finding',
  '/api/refusals': 'incident',
  '/api/reads': 'read_log',
};

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

/** Starts on a free port. `answers` overrides an address: a value to give or a function of the
 * query, `{ problem }`, or 'silent' to hang up. `recorded` is what it answers otherwise. */
export async function fixtureNode() {
  const listeners = new Set();
  const data = Object.fromEntries(
    ['judgment', 'changes', 'entries', 'compare', 'refusals', 'reads', 'lines', 'crossings'].map((n) => [n, recorded(n)]),
  );
  const node = {
    answers: {},
    /** The office that is signed in; null: nobody is. */
    office: 'chair',
    state: recorded('state'),
    recorded: data,
    /** Tells every open page that something changed. */
    hint(kind) {
      for (const answer of listeners) answer.write(`event: ${kind}\ndata: {}\n\n`);
    },
    /** Breaks every open event stream. */
    drop() {
      for (const answer of listeners) answer.destroy();
    },
  };
  const api = {
    '/api/session': () => sessionOf(node.office),
    '/api/state': () => node.state,
    '/api/judgment': (q) => ({ ...data.judgment, as_of: q.get('as_of') ?? data.judgment.as_of }),
    '/api/changes': () => data.changes,
    '/api/entries': (q) => entriesOf(data.entries, q),
    '/api/entries/item': (q) =>
      data.entries.find((e) => e.origin === q.get('origin') && String(e.index) === q.get('index')),
    '/api/digest/compare': (q) => data.compare[q.get('peer')],
    '/api/refusals': () => data.refusals,
    '/api/reads': (q) => readsOf(data.reads, q),
    '/api/lines': () => data.lines,
    '/api/crossings': () => data.crossings,
  };
  // As at a node, what is not to be read is not given, whatever the page asks.
  const lacks = (path) => columns[path] && !sessionOf(node.office).reads.includes(columns[path]);
  async function signs(request) {
    if (request.method === 'DELETE') {
      node.office = null;
      return null;
    }
    const form = await bodyOf(request);
    if (!offices[form.office] || form.password !== password) return refused(401, 'sign_in', 'No office with this password');
    if (!purposes.includes(form.purpose)) return refused(400, 'bad_parameter', 'A parameter does not read');
    node.office = form.office;
    return { office: form.office, role: offices[form.office].role };
  }
  const server = createServer(async (request, answer) => {
    const url = new URL(request.url, 'http://node');
    answer.setHeader('content-security-policy', policy);
    const override = node.answers[url.pathname];
    let given = typeof override === 'function' ? override(url.searchParams, request.method) : override;
    if (url.pathname === '/api/session' && request.method !== 'GET' && given === undefined) given = await signs(request);
    if (given === undefined && lacks(url.pathname)) given = refused(403, 'right', 'The role does not have this right');
    if (given === 'silent') return request.socket.destroy();
    if (given?.problem) {
      answer.writeHead(given.problem.status, { 'content-type': 'application/problem+json' });
      return answer.end(JSON.stringify(given.problem));
    }
    if (given === null) return answer.writeHead(204).end();
    if (url.pathname === '/api/events') {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.write(': ping\n\n');
      listeners.add(answer);
      return request.on('close', () => listeners.delete(answer));
    }
    if (url.pathname.startsWith('/api/')) {
      const value = given ?? api[url.pathname]?.(url.searchParams);
      answer.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
      return answer.end(JSON.stringify(value ?? { title: 'there is no such entry', status: 404 }));
    }
    const path = join(dist, normalize(url.pathname === '/' ? '/index.html' : url.pathname));
    if (!path.startsWith(dist) || !existsSync(path)) return answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    createReadStream(path).pipe(answer);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  node.url = `http://127.0.0.1:${server.address().port}`;
  node.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return node;
}
