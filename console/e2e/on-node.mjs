// The console of a real node that has played the golden scenario to its end (H 620).
import assert from 'node:assert/strict';
import { goTo, holds, open, pages, settled, shot, signIn, sizes } from './page.mjs';
import { publicView } from './public.mjs';

export async function nodeTests(t, tools, url, { office, password }) {
  let judgment;

  for (const lang of ['en', 'ps']) {
    for (const size of sizes) {
      await t.test(`${lang} at ${size.width}: the public sees crossings, and of the rest how much is withheld`, () =>
        publicView(tools, url, { lang, size, shots: 'node' }),
      );
    }
  }

  await t.test('who is not signed in gets no verdict from the node, whatever is asked', async () => {
    for (const path of ['judgment', 'changes', 'digest', 'refusals', 'reads']) {
      const answer = await fetch(`${url}/api/${path}`);
      assert.equal(answer.status, 403, path);
      assert.equal((await answer.json()).type, 'urn:hamsaya:problem:right');
    }
    const { entries } = await (await fetch(`${url}/api/entries?limit=1000`)).json();
    assert.deepEqual(entries.filter((e) => e.marking !== 'TLP:CLEAR'), []);
  });

  await t.test('an office signs in through the form, out, and in again', async () => {
    const { page, complaints, close } = await open(tools, url, { lang: 'en', at: 'verdicts?state=breached' });
    await signIn(page, { office, password: `${password}?` });
    await page.getByRole('alert').getByText('Office or password is wrong.').waitFor();
    assert.ok(complaints.splice(0).every((c) => c.includes('401')));
    await signIn(page, { office, password });
    await page.waitForSelector('tr.verdict');
    assert.match(new URL(page.url()).hash, /state=breached/);
    assert.equal(await page.evaluate(() => document.cookie), '', 'the cookie is out of reach of the page');
    await page.locator('.session button').click();
    await page.waitForSelector('[name=password]');
    assert.equal((await page.request.get(`${url}/api/judgment`)).status(), 403);
    await signIn(page, { office, password });
    await page.waitForSelector('tr.verdict');
    judgment = await (await page.request.get(`${url}/api/judgment`)).json();
    assert.deepEqual(complaints, []);
    await close();
  });

  await t.test('the page shows the verdicts that the node gives', async () => {
    const { page, close } = await open(tools, url, { lang: 'en', at: 'verdicts' });
    const shown = await page.locator('tr.verdict').evaluateAll((rows) =>
      rows.map((row) => [row.querySelector('th bdi').textContent, row.querySelector('.state .word').textContent]),
    );
    await page.locator('.live .on').waitFor();
    assert.deepEqual(shown, judgment.verdicts.map((v) => [v.label, v.state]));
    await close();
  });

  for (const lang of ['en', 'ps']) {
    for (const size of sizes) {
      await t.test(`${lang} at ${size.width}: every page holds`, async () => {
        const view = await open(tools, url, { lang, size });
        for (const at of pages) {
          await goTo(view.page, at);
          await view.page.waitForLoadState('load');
          await holds(tools, view, lang, `${at} ${lang} ${size.width}`, at);
          await shot(tools, view.page, `node-${at}-${lang}-${size.width}`);
        }
        const breached = judgment.verdicts.find((v) => v.state === 'breached' && v.reasons.because.length > 0);
        if (breached) {
          await goTo(view.page, `verdicts?${new URLSearchParams({ open: breached.label })}`);
          await view.page.waitForSelector('.why .times');
          assert.equal(await view.page.locator('tr.open .state.breached').count(), 1);
          await holds(tools, view, lang, `verdict open ${lang} ${size.width}`, 'verdict open');
          await shot(tools, view.page, `node-verdict-open-${lang}-${size.width}`, { fullPage: false });
          // From the verdict to the entry that it cites, and back.
          await view.page.locator('.why a').first().click();
          await settled(view.page);
          await view.page.waitForSelector('.entry .fields');
          await holds(tools, view, lang, `entry ${lang} ${size.width}`, 'entry');
          await shot(tools, view.page, `node-entry-${lang}-${size.width}`);
          await view.page.goBack();
          await view.page.waitForSelector('tr.verdict.open');
        }
        await view.close();
      });
    }
  }

  await t.test('the node gives its page under a policy that lets nothing leave', async () => {
    const answer = await fetch(url);
    const policy = answer.headers.get('content-security-policy') ?? '';
    for (const part of ["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), `policy \`${policy}\` lacks ${part}`);
    }
  });
}
