// Records what a running node answers into e2e/fixtures, for the tests that need no node:
//
//     HAMSAYA_URL=http://127.0.0.1:7411 HAMSAYA_OFFICE=chair HAMSAYA_PASSWORD=… npm run record
//
// The read log (reads.json) is made up: it would hold who tried what on the recorded node.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { HAMSAYA_URL: url, HAMSAYA_OFFICE: office = 'chair', HAMSAYA_PASSWORD: password } = process.env;
if (!url || !password) {
  console.error('error: no node was named, or nobody who signs in\nhint: HAMSAYA_URL=http://127.0.0.1:7411 HAMSAYA_PASSWORD=… npm run record');
  process.exit(2);
}
const folder = fileURLToPath(new URL('fixtures/', import.meta.url));

const signedIn = await fetch(`${url}/api/session`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ office, password, purpose: 'verification' }),
});
if (!signedIn.ok) throw new Error(`/api/session: ${signedIn.status} ${await signedIn.text()}`);
const cookie = signedIn.headers.get('set-cookie').split(';')[0];

async function ask(path) {
  const answer = await fetch(`${url}${path}`, { headers: { cookie } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const save = (name, value) => writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(value, null, 1)}\n`);

const state = await ask('/api/state');
save('state', state);
for (const name of ['judgment', 'changes', 'refusals', 'lines', 'crossings']) save(name, await ask(`/api/${name}`));

const compared = state.peers.filter((peer) => peer.role !== 'witness');
save(
  'compare',
  Object.fromEntries(await Promise.all(compared.map(async ({ name }) => [name, await ask(`/api/digest/compare?peer=${name}`)]))),
);

const entries = [];
for (const { origin } of state.heads) {
  for (let from = 0; from !== null; ) {
    const page = await ask(`/api/entries?${new URLSearchParams({ origin, from, limit: 200 })}`);
    entries.push(...page.entries);
    from = page.next;
  }
}
save('entries', entries);
console.log(`recorded ${state.node}: ${entries.length} entries`);
