// Records what a running node answers into e2e/fixtures, for the tests that need no node:
//
//     HAMSAYA_URL=http://127.0.0.1:7411 npm run record
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const url = process.env.HAMSAYA_URL;
if (!url) {
  console.error('error: no node was named\nhint: HAMSAYA_URL=http://127.0.0.1:7411 npm run record');
  process.exit(2);
}
const folder = fileURLToPath(new URL('fixtures/', import.meta.url));

async function ask(path) {
  const answer = await fetch(`${url}${path}`);
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
