// The console in Debian's Chromium: both text directions, two widths, by keyboard, against a fixture node and a real one.
//
//     npm run e2e                                  fixture node only
//     HAMSAYA_URL=http://127.0.0.1:7411 HAMSAYA_OFFICE=chair HAMSAYA_PASSWORD=… npm run e2e    and that running node
//     HAMSAYA_BIN=target/debug/hamsaya npm run e2e     and a demo that this starts and stops
//
// With SHOTS=1 a picture of every page goes to e2e/shots, to be looked at. Without Chromium it says so and passes.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startDemo } from './demo.mjs';
import { fixtureNode } from './fixture-node.mjs';
import { fixtureTests } from './on-fixture.mjs';
import { nodeTests } from './on-node.mjs';
import { passkeyTests } from './passkeys.mjs';

// The shell without windows opens a page in half the time of the whole browser.
const places = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
const executablePath = process.env.CHROMIUM ?? places.find(existsSync) ?? places[1];
const here = fileURLToPath(new URL('.', import.meta.url));

if (!existsSync(executablePath)) {
  console.log(`e2e: SKIPPED: ${executablePath} was not found\nhint: apt-get install chromium, or set CHROMIUM`);
  process.exit(0);
}
if (!existsSync(join(here, '../dist/index.html'))) {
  console.error('error: console/dist/index.html was not found\nhint: npm run build');
  process.exit(2);
}
const { HAMSAYA_URL, HAMSAYA_BIN, HAMSAYA_OFFICE = 'chair', HAMSAYA_PASSWORD } = process.env;
if (HAMSAYA_URL && !HAMSAYA_PASSWORD) {
  console.error(`error: nobody can sign in at ${HAMSAYA_URL}\nhint: set HAMSAYA_PASSWORD, and HAMSAYA_OFFICE if it is not chair`);
  process.exit(2);
}
const shots = process.env.SHOTS ? join(here, 'shots') : null;
if (shots) mkdirSync(shots, { recursive: true });

// Nothing on the page needs a GPU, and an emulated one costs more than painting without.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const tools = { browser, axe, shots };

// The demo plays its story while the fixture node is tested.
let demo = null;
if (HAMSAYA_URL) {
  demo = Promise.resolve({ url: HAMSAYA_URL, office: HAMSAYA_OFFICE, password: HAMSAYA_PASSWORD, stop: async () => {} });
} else if (HAMSAYA_BIN) demo = startDemo(HAMSAYA_BIN);
demo?.catch(() => {}); // told where it is awaited

await test('on a fixture node', async (t) => {
  const node = await fixtureNode();
  await fixtureTests(t, tools, node).finally(() => node.close());
});

if (demo) {
  await test('on a running node', async (t) => {
    const { url, office, password, stop } = await demo;
    const account = { office, password };
    try {
      await nodeTests(t, tools, url, account);
      await passkeyTests(t, tools, url, account);
    } finally {
      await stop();
    }
  });
} else {
  console.log('e2e: no running node: set HAMSAYA_URL or HAMSAYA_BIN to test against one');
}
await browser.close();
