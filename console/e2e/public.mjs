// What the public sees of a node, whichever node it is: crossings, lines, how far the logs go, the agreement's name; of the
// rest, how much is withheld. Nothing is asked for that will be refused.
import assert from 'node:assert/strict';
import { goTo, holds, open, shot } from './page.mjs';

export async function publicView(tools, url, { lang, size, shots }) {
  const view = await open(tools, url, { lang, size, at: 'clocks', apart: true });
  const { page } = view;
  const asked = new Set();
  page.on('request', (request) => asked.add(new URL(request.url()).pathname));
  for (const at of ['clocks', 'verdicts', 'changes', 'reads']) {
    await goTo(page, at);
    await page.waitForSelector('[name=password]');
    assert.equal(await page.locator('main table').count(), 0, at);
    await holds(tools, view, lang, `public ${at} ${lang} ${size.width}`, 'sign in');
  }
  assert.equal(await page.locator('nav a').count(), 6, 'the read log is not named');
  await page.locator('.agreement').waitFor();

  await goTo(page, 'record');
  await page.waitForSelector('.witnesses');
  assert.equal(await page.locator('.same').count(), 0, 'no verdicts are compared');
  await page.locator('.withheld').getByText('TLP:AMBER', { exact: true }).waitFor();
  await page.locator('.withheld a').waitFor();
  await holds(tools, view, lang, `public record ${lang} ${size.width}`, 'public record');
  await shot(tools, page, `${shots}-public-record-${lang}-${size.width}`);

  await goTo(page, 'incidents');
  await page.waitForSelector('.withheld');
  await page.waitForSelector('.empty');
  await holds(tools, view, lang, `public incidents ${lang} ${size.width}`, 'public incidents');
  await shot(tools, page, `${shots}-public-incidents-${lang}-${size.width}`);

  // Without an address it is the crossings that are shown, in the table and on the map.
  await goTo(page, '');
  await page.waitForSelector('svg .crossing');
  assert.match(new URL(page.url()).hash, /^#\/crossings/);
  assert.ok((await page.locator('main tbody tr').count()) > 3);
  assert.match(await page.locator('main tbody tr').first().innerText(), /P1 [\s\S]*P2 [\s\S]*34\.122°\sN/);
  await holds(tools, view, lang, `public crossings ${lang} ${size.width}`, 'public crossings');
  await shot(tools, page, `${shots}-public-crossings-${lang}-${size.width}`);

  const closed = ['/api/judgment', '/api/changes', '/api/digest/compare', '/api/refusals', '/api/reads'];
  assert.deepEqual(closed.filter((path) => asked.has(path)), [], 'asked for what the public may not read');
  await view.close();
}
