// What a recorded node shows: every page in two directions and widths, and what a running node cannot be made to say.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { password } from './fixture-node.mjs';
import { publicView } from './public.mjs';
import { goTo, holds, open, orderOnScreen, pages, reachableByKeyboard, settled, shot, signIn, signInFields, sizes } from './page.mjs';

const lane = 'C32.lane(K1, P2)';

export async function fixtureTests(t, tools, node) {
  const { browser } = tools;
  const recorded = node.state;
  const { judgment, entries, compare } = node.recorded;
  const lodged = entries.find((e) => e.kind === 'lodged');
  const lodgedAt = `record?${new URLSearchParams({ origin: lodged.origin, index: String(lodged.index) })}`;
  const laneBecause = judgment.verdicts.find((v) => v.label === lane).reasons.because[0];
  t.beforeEach(() => {
    node.answers = {};
    node.state = recorded;
    node.office = 'chair';
  });

  for (const lang of ['en', 'ps']) {
    for (const size of sizes) {
      await t.test(`${lang} at ${size.width}: every page holds`, async () => {
        const view = await open(tools, node.url, { lang, size });
        for (const at of pages) {
          await goTo(view.page, at);
          await holds(tools, view, lang, `${at} ${lang} ${size.width}`, at);
          await shot(tools, view.page, `fixture-${at}-${lang}-${size.width}`);
        }
        await goTo(view.page, `verdicts?${new URLSearchParams({ open: lane })}`);
        await view.page.waitForSelector('.why .times');
        await holds(tools, view, lang, `verdict open ${lang} ${size.width}`, 'verdict open');
        await shot(tools, view.page, `fixture-verdict-open-${lang}-${size.width}`, { fullPage: false });
        await goTo(view.page, lodgedAt);
        await view.page.waitForSelector('.entry .fields');
        await holds(tools, view, lang, `entry ${lang} ${size.width}`, 'entry');
        await shot(tools, view.page, `fixture-entry-${lang}-${size.width}`);
        await view.close();
      });
    }
  }

  for (const lang of ['fa-AF', 'ur']) {
    await t.test(`${lang}: every page holds, in the dark`, async () => {
      const view = await open(tools, node.url, { lang, dark: true });
      for (const at of pages) {
        await goTo(view.page, at);
        await holds(tools, view, lang, `${at} ${lang} dark`, at);
        await shot(tools, view.page, `fixture-${at}-${lang}-dark`);
      }
      await view.close();
    });
  }

  await t.test('320 pixels wide: nothing scrolls sideways', async () => {
    for (const lang of ['en', 'ps']) {
      const view = await open(tools, node.url, { lang, size: { name: 'phone', width: 320, height: 640 } });
      for (const at of [...pages, `verdicts?${new URLSearchParams({ open: lane })}`]) {
        await goTo(view.page, at);
        await holds(tools, view, lang, `${at} ${lang} 320`, at);
      }
      await view.close();
    }
  });

  await t.test('everything is reached by Tab', async () => {
    const view = await open(tools, node.url, { lang: 'ps' });
    for (const at of pages) {
      await goTo(view.page, at);
      await reachableByKeyboard(view.page, at);
    }
    await view.close();
  });

  await t.test('a verdict opens by keyboard alone and says why', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'ps', at: 'verdicts' });
    const row = page.getByRole('button', { name: lane });
    await row.focus();
    await page.keyboard.press('Enter');
    assert.equal(await row.getAttribute('aria-expanded'), 'true');
    const why = page.locator('tr.why:not([hidden])');
    await why.getByText(`${laneBecause.origin}#${laneBecause.index}`).first().waitFor();
    await why.locator('summary').focus();
    await page.keyboard.press('Enter');
    assert.match(await why.locator('pre').textContent(), /lane_open.* false, settled 2026-12-01T14:00:00Z/);
    assert.match(new URL(page.url()).hash, /open=C32\.lane/);
    await row.focus();
    await page.keyboard.press('Enter');
    assert.equal(await row.getAttribute('aria-expanded'), 'false');
    await close();
  });

  await t.test('the skip link leads to the page', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en', at: 'changes' });
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    assert.match(new URL(page.url()).hash, /^#\/changes/);
    await close();
  });

  await t.test('codes, places and hours keep their order in a right-to-left line', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'ps', at: 'incidents' });
    assert.deepEqual(await orderOnScreen(page, 'td bdi', ['34.12', 'N', '71.09']), ['34.12', 'N', '71.09']);
    assert.deepEqual(await orderOnScreen(page, 'td bdi', ['2016-06-12', '/', '2016-06-15']), ['2016-06-12', '/', '2016-06-15']);
    await goTo(page, 'verdicts');
    assert.deepEqual(await orderOnScreen(page, 'th bdi', ['C14', '(', 'A1', ')']), ['C14', '(', 'A1', ')']);
    await goTo(page, 'clocks');
    // 00:30 in Kabul: hours to the left of minutes, whatever the digits.
    assert.deepEqual(await orderOnScreen(page, '.clocks bdi', ['۲۰', ':', '۳۰']), ['۲۰', ':', '۳۰']);
    await close();
  });

  await t.test('a language is chosen, remembered, and the address wins', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en' });
    await page.getByRole('button', { name: 'پښتو' }).click();
    assert.equal(await page.evaluate(() => document.body.dir), 'rtl');
    assert.equal(new URL(page.url()).searchParams.get('lang'), 'ps');
    assert.equal(await page.locator('.day').first().evaluate((e) => /لیندۍ|مرغومی|وری/.test(e.textContent)), true);
    await page.goto(node.url);
    await settled(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ps');
    await page.goto(`${node.url}/?lang=ur`);
    await settled(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ur');
    await close();
  });

  await t.test('filters narrow the list, and the file holds what is shown', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en', at: 'verdicts' });
    assert.equal(await page.locator('tr.verdict').count(), 28);
    await page.getByRole('button', { name: /^breached/ }).click();
    assert.equal(await page.locator('tr.verdict').count(), 9);
    await page.getByLabel('Article').selectOption('9');
    await page.getByLabel('Bearer').selectOption('P2');
    assert.equal(await page.locator('tr.verdict').count(), 4);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save as CSV' }).click();
    const text = await readFile(await (await download).path(), 'utf8');
    assert.equal(text.split('\r\n').length, 1 + 4 + 1);
    assert.match(text, /"C32\.lane\(K1, P2\)",C32,lane,art_9__para_32,P2,breached,not_performed/);
    await close();
  });

  await t.test('another instant is judged by the node and kept in the address', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en', at: 'verdicts' });
    await page.getByText('Judge at another instant').click();
    await page.getByLabel('As of', { exact: true }).fill('tomorrow');
    assert.equal(await page.getByRole('button', { name: 'Judge', exact: true }).isDisabled(), true);
    const asked = page.waitForRequest((r) => r.url().includes('/api/judgment?as_of=2026-12-04T10'));
    await page.getByLabel('As of', { exact: true }).fill('2026-12-04T10:00:00Z');
    await page.getByRole('button', { name: 'Judge', exact: true }).click();
    await asked;
    await page.getByText('2026-12-04 10:00 UTC').first().waitFor();
    await close();
  });

  await t.test('a problem is told with its hint, what was read stays, and asking again helps', async () => {
    const { page, complaints, close } = await open(tools, node.url, { lang: 'ps', at: 'verdicts' });
    const problem = {
      status: 503,
      type: 'urn:hamsaya:problem:state_unknown',
      title: 'the record on disk does not fit its checkpoint',
      detail: 'tile/0/000 has 31 hashes',
      hint: 'run hamsaya verify',
    };
    node.answers['/api/judgment'] = { problem };
    node.hint('verdict');
    await page.getByRole('alert').getByText(problem.title).waitFor();
    await page.getByText(problem.hint).waitFor();
    assert.equal(await page.locator('tr.verdict').count(), 28);
    await shot(tools, page, 'fixture-problem-ps-1280');
    delete node.answers['/api/judgment'];
    await page.getByRole('alert').getByRole('button').click();
    await page.getByText(problem.title).waitFor({ state: 'detached' });
    assert.ok(complaints.every((c) => c.includes('503')), complaints.join('\n'));
    await close();
  });

  await t.test('every list has words for nothing there', async () => {
    node.answers['/api/judgment'] = { ...judgment, verdicts: [] };
    node.answers['/api/changes'] = [];
    node.answers['/api/entries'] = { entries: [], next: null, withheld: {} };
    const view = await open(tools, node.url, { lang: 'en' });
    for (const [at, words] of [
      ['clocks', 'No duty has been opened.'],
      ['verdicts', 'No duty has been opened.'],
      ['changes', 'No verdict has changed yet.'],
      ['record', 'This log holds no statements here.'],
      ['incidents', 'No incident is on record.'],
    ]) {
      await goTo(view.page, at);
      await view.page.getByText(words).waitFor();
      await holds(tools, view, 'en', `${at} empty`);
    }
    await shot(tools, view.page, 'fixture-empty-en-1280');
    node.answers = {};
    await view.close();
  });

  await t.test('an office signs in by keyboard alone, and the page that was wanted follows', async () => {
    for (const lang of ['en', 'ur']) {
      for (const size of sizes) {
        node.office = null;
        const view = await open(tools, node.url, { lang, size, at: `verdicts?${new URLSearchParams({ open: lane })}` });
        const { page } = view;
        assert.deepEqual(await signInFields(page), [
          ['office', 'text', 'username', true],
          ['password', 'password', 'current-password', true],
          ['purpose', 'select-one', 'off', true],
        ]);
        assert.equal(await page.locator('tr.verdict').count(), 0);
        await holds(tools, view, lang, `sign in ${lang} ${size.width}`, 'sign in');
        await reachableByKeyboard(page, 'sign in');
        await shot(tools, page, `fixture-signin-${lang}-${size.width}`);
        await page.locator('[name=office]').focus();
        await page.keyboard.type('chair');
        await page.keyboard.press('Tab');
        await page.keyboard.type(password);
        await page.keyboard.press('Tab');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.waitForSelector('.why .times');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
        assert.equal(await page.locator('form[method=post]').count(), 0);
        await page.locator('.session').getByText('chair', { exact: true }).waitFor();
        await holds(tools, view, lang, `signed in ${lang} ${size.width}`, 'signed in');
        await page.evaluate(() => scrollTo(0, 0));
        await shot(tools, page, `fixture-signed-in-${lang}-${size.width}`, { fullPage: false });
        await page.locator('.session button').click();
        await page.waitForSelector('[name=password]');
        assert.equal(await page.locator('.ended').count(), 0);
        assert.equal(node.office, null);
        await view.close();
      }
    }
  });

  await t.test('what is wrong with signing in is said, and the fields keep what they may', async () => {
    node.office = null;
    const view = await open(tools, node.url, { lang: 'en', at: 'record' });
    const { page, complaints } = view;
    await page.locator('.session a').click();
    await page.waitForSelector('[name=office]');
    await signIn(page, { office: 'chair', password: 'wrong' });
    await page.getByRole('alert').getByText('Office or password is wrong.').waitFor();
    assert.equal(await page.locator('[name=office]').inputValue(), 'chair');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'password');
    assert.ok(complaints.splice(0).every((c) => c.includes('401')));
    await holds(tools, view, 'en', 'wrong password', 'wrong password');
    await shot(tools, page, 'fixture-signin-wrong-en-1280');
    for (const [status, type, words] of [
      [429, 'too_many_tries', 'Too many wrong tries'],
      [403, 'right', 'The agreement gives this office no role.'],
      [500, 'internal', 'The node could not sign this office in.'],
    ]) {
      const problem = { status, type: `urn:hamsaya:problem:${type}`, title: 'x', detail: 'as the node says it', hint: '' };
      node.answers['/api/session'] = (_, method) => (method === 'POST' ? { problem } : undefined);
      await signIn(page, { office: 'chair', password });
      await page.getByRole('alert').getByText(words).waitFor();
      await page.getByRole('alert').getByText('as the node says it').waitFor();
    }
    node.answers = {};
    await signIn(page, { office: 'chair', password });
    // Back on the page from which it was asked for.
    await page.waitForSelector('.witnesses');
    assert.match(new URL(page.url()).hash, /^#\/record/);
    await view.close();
  });

  await t.test('a session that ends leads back without losing the page, and leaves nothing to read', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'ps', at: 'verdicts?state=breached' });
    assert.equal(await page.locator('tr.verdict').count(), 9);
    node.office = null;
    node.hint('verdict');
    await page.waitForSelector('.ended');
    assert.equal(await page.locator('tr.verdict').count(), 0);
    assert.match(new URL(page.url()).hash, /state=breached/);
    await signIn(page, { office: 'chair', password });
    await page.waitForFunction(() => document.querySelectorAll('tr.verdict').length === 9);
    // On a page that everybody sees it is said as well, and one may go on as the public.
    await goTo(page, lodgedAt);
    await page.waitForSelector('.entry .fields');
    node.office = null;
    node.hint('head');
    await page.waitForSelector('.ended');
    assert.equal(await page.locator('.entry .fields').count(), 0);
    await page.locator('form button[type=button]').click();
    await page.waitForSelector('.witnesses');
    await close();
  });

  await t.test('what an answer refuses while the page is open is asked again: who is signed in?', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en', at: 'incidents' });
    await page.waitForSelector('main table');
    node.office = null;
    // No hint came; the next thing asked for is refused.
    node.answers['/api/entries/item'] = { problem: { status: 403, type: 'urn:hamsaya:problem:right', title: 'x', detail: '', hint: '' } };
    await page.evaluate((hash) => (location.hash = hash), `#/${lodgedAt}`);
    await page.waitForSelector('.ended');
    await close();
  });

  await t.test('whose role does not read a page is told so', async () => {
    node.office = 'post-7';
    const view = await open(tools, node.url, { lang: 'en', at: 'verdicts' });
    await view.page.getByText('The role “post duty officer” does not read this page.').waitFor();
    assert.equal(await view.page.locator('[name=password]').count(), 0);
    await holds(tools, view, 'en', 'no right', 'no right');
    await view.close();
  });

  for (const lang of ['en', 'ur']) {
    await t.test(`${lang}: what is withheld is said, by marking and by column`, async () => {
      const withheld = { 'TLP:AMBER+STRICT': 3, 'column training': 2, 'TLP:RED': 7 };
      node.answers['/api/judgment'] = { ...judgment, withheld: { 'TLP:AMBER': 4 } };
      node.answers['/api/entries'] = { entries: entries.slice(0, 3), next: null, withheld };
      for (const size of sizes) {
        const view = await open(tools, node.url, { lang, size, at: 'verdicts' });
        const { page } = view;
        for (const at of ['verdicts', 'clocks']) {
          await goTo(page, at);
          assert.match(await page.locator('.withheld li').innerText(), /TLP:AMBER[^4]*4/);
        }
        for (const at of ['record', 'incidents']) {
          await goTo(page, at);
          await page.waitForSelector('.withheld');
          const said = await page.locator('.withheld').innerText();
          assert.match(said, /TLP:AMBER\+STRICT/);
          assert.equal(await page.locator('.withheld li').count(), 2);
          assert.doesNotMatch(said, /RED|7/);
          await holds(tools, view, lang, `withheld ${at} ${lang} ${size.width}`, `withheld ${at}`);
        }
        await shot(tools, page, `fixture-withheld-${lang}-${size.width}`, { fullPage: false });
        await view.close();
      }
      // A list of which nothing may be seen is not called empty.
      node.answers['/api/entries'] = { entries: [], next: null, withheld };
      const view = await open(tools, node.url, { lang, at: 'incidents' });
      assert.equal(await view.page.locator('.empty').count(), 1);
      if (lang === 'en') await view.page.getByText('There is nothing here that you may see.').waitFor();
      await view.close();
    });
  }

  await t.test('an entry that does not leave the node says so, and one that may not be read has words', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'ps', at: lodgedAt });
    await page.waitForSelector('.entry a[download]');
    node.answers['/api/entries/item'] = { ...lodged, leaf: null };
    await goTo(page, 'clocks');
    await goTo(page, lodgedAt);
    await page.waitForSelector('.entry .fields');
    assert.equal(await page.locator('.entry a[download]').count(), 0);
    await page.getByText('همدلته لوستل کېږي او نه وړل کېږي').waitFor();
    for (const [name, words] of [
      ['marking', 'نښه یې تاسو ته د لوستلو اجازه نه درکوي'],
      ['handling', 'همدلته لوستل کېږي او نه وړل کېږي'],
    ]) {
      node.answers['/api/entries/item'] = { problem: { status: 403, type: `urn:hamsaya:problem:${name}`, title: 'x', detail: '', hint: '' } };
      await goTo(page, 'clocks');
      await goTo(page, lodgedAt);
      await page.getByRole('alert').getByText(words).waitFor();
    }
    await close();
  });

  for (const lang of ['en', 'ur']) {
    await t.test(`${lang}: the read log is for whoever audits it`, async () => {
      const chair = await open(tools, node.url, { lang, at: 'reads' });
      assert.equal(await chair.page.locator('nav a[href="#/reads"]').count(), 0);
      assert.equal(await chair.page.locator('main table').count(), 0);
      await chair.close();
      node.office = 'data-protection';
      for (const size of sizes) {
        const view = await open(tools, node.url, { lang, size, at: 'record' });
        const { page } = view;
        await page.locator('nav a[href="#/reads"]').click();
        await page.waitForSelector('main tbody tr');
        // The newest page: lines 7 to 56, newest first.
        await page.waitForFunction(() => document.querySelector('main tbody th')?.textContent.includes('#56'));
        assert.equal(await page.locator('main tbody tr').count(), 50);
        await page.getByText(node.recorded.reads.head).waitFor();
        await page.locator('main tbody summary').first().click();
        const first = node.recorded.reads.reads[56].entries[0];
        await page.locator('main tbody a').first().getByText(first).waitFor();
        await holds(tools, view, lang, `reads ${lang} ${size.width}`, 'reads');
        await shot(tools, page, `fixture-reads-${lang}-${size.width}`, { fullPage: false });
        await page.locator('.tools button').first().click();
        await page.waitForFunction(() => document.querySelector('main tbody th')?.textContent.includes('#49'));
        await view.close();
      }
    });
  }

  for (const lang of ['en', 'ps']) {
    await t.test(`${lang}: the public sees what is everybody's, and nothing else`, async () => {
      node.office = null;
      node.answers['/api/entries'] = { entries: [], next: null, withheld: { 'TLP:AMBER': 148, 'column incident': 14 } };
      const problem = { status: 403, type: 'urn:hamsaya:problem:right', title: 'x', detail: '', hint: '' };
      node.answers['/api/entries/item'] = { problem };
      for (const size of sizes) await publicView(tools, node.url, { lang, size, shots: 'fixture' });
    });
  }

  await t.test('a peer unheard for long is named, and the list says that it may lack something', async () => {
    node.state = {
      ...recorded,
      clock: 'system',
      now: new Date().toISOString().replace(/\.\d+/, ''),
      peers: recorded.peers.map((p) => ({ ...p, seen_at: p.name === 'P2' ? '2020-01-01T00:00:00Z' : '2099-01-01T00:00:00Z' })),
    };
    const view = await open(tools, node.url, { lang: 'ps', at: 'verdicts' });
    await view.page.locator('.warnings').getByText('P2').waitFor();
    await view.page.locator('.partial').getByText('P2').waitFor();
    await holds(tools, view, 'ps', 'partial');
    await view.close();
  });

  await t.test('a difference between nodes is located, and what was refused is listed with its reason', async () => {
    const first_difference = { label: lane, origin: laneBecause.origin, index: laneBecause.index };
    const behind = [{ node: 'G2', origin: 'p1.example/hamsaya/1', index: 17 }];
    node.answers['/api/digest/compare'] = (q) =>
      q.get('peer') === 'G2'
        ? { ...compare.G2, equal: false, theirs: 'f'.repeat(64), first_difference, behind }
        : compare[q.get('peer')];
    node.state = { ...recorded, refused: 1 };
    node.answers['/api/refusals'] = {
      total: 1,
      refusals: [
        { at: recorded.now, reason: 'bad_signature', sha256: 'f'.repeat(64), field: 'signatures', allowed: 'P2', hint: '' },
      ],
    };
    for (const lang of ['en', 'ps']) {
      const view = await open(tools, node.url, { lang, at: 'record' });
      const row = view.page.locator('tr', { has: view.page.locator('th bdi', { hasText: /^G2$/ }) }).last();
      await row.getByText(lane).waitFor();
      await row.getByText('p1.example/hamsaya/1#17').waitFor();
      await view.page.locator('summary').first().click();
      await view.page.getByText('signatures', { exact: true }).waitFor();
      await holds(tools, view, lang, `difference ${lang}`, 'difference');
      await shot(tools, view.page, `fixture-difference-${lang}-1280`);
      await view.close();
    }
  });

  await t.test('a slow answer gets a skeleton, then words', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en', at: 'record' });
    let release;
    await page.route('**/api/entries?*', (route) => new Promise((done) => (release = () => done(route.continue()))));
    await page.evaluate(() => (location.hash = '#/incidents'));
    await page.waitForSelector('.skeleton');
    await page.getByText('Asking the node.').waitFor();
    release();
    await page.waitForSelector('main table');
    await close();
  });

  await t.test('a hint changes the page, and a lost connection is said', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en' });
    await page.getByText('live', { exact: true }).waitFor();
    const before = node.state;
    node.state = { ...before, heads: before.heads.map((h) => ({ ...h, size: h.size + 100 })) };
    node.hint('head');
    await page.locator('.head').getByText(String(node.state.heads.find((h) => h.node === 'P1').size)).waitFor();
    node.answers['/api/events'] = 'silent';
    node.drop();
    await page.getByText('not live since').waitFor();
    delete node.answers['/api/events'];
    await page.getByText('live', { exact: true }).waitFor();
    node.state = before;
    await close();
  });

  await t.test('left alone it asks for nothing and says so; a press goes on', async () => {
    // Its own context: the clock of one page is that of all in it.
    const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB' });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.clock.install();
    const isJudgment = (request) => new URL(request.url()).pathname === '/api/judgment';
    const asked = [];
    page.on('request', (request) => isJudgment(request) && asked.push(request.headers()['hamsaya-refresh'] ?? 'by hand'));
    await page.goto(`${node.url}/?lang=en#/clocks`);
    await settled(page);
    assert.equal(asked[0], 'by hand');
    const byItself = page.waitForRequest((request) => isJudgment(request) && request.headers()['hamsaya-refresh'] === 'auto');
    node.hint('verdict');
    await byItself;
    await settled(page);

    await page.clock.fastForward('16:00');
    const said = page.getByRole('alert').filter({ hasText: 'Nobody has touched this page for 15 minutes' });
    await said.waitFor();
    const before = asked.length;
    node.hint('verdict');
    await page.mouse.move(200, 200);
    await page.clock.fastForward('01:00');
    await said.waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    await said.waitFor({ state: 'detached' });
    await page.clock.fastForward('00:01');
    assert.deepEqual(asked.slice(before), ['by hand']);
    await context.close();
  });

  await t.test('a running clock counts down; a scenario clock says that it stands still', async () => {
    const { page, close } = await open(tools, node.url, { lang: 'en' });
    await page.getByText('scenario clock: stands still between steps').waitFor();
    await close();
    const before = node.state;
    // The node's clock is ahead by two minutes, and something is due in 90 seconds of it.
    const now = new Date(Math.floor(Date.now() / 1000) * 1000 + 120_000);
    const text = (date) => date.toISOString().replace('.000', '');
    const due = text(new Date(now.getTime() + 90_000));
    node.state = { ...before, clock: 'system', now: text(now) };
    node.answers['/api/judgment'] = {
      ...judgment,
      verdicts: judgment.verdicts.map((v) => (v.label === 'C19.refind(A1, Commission)' ? { ...v, due } : v)),
    };
    const view = await open(tools, node.url, { lang: 'en' });
    await view.page.getByText('clock differs by').waitFor();
    const left = view.page.locator('tbody tr').first().locator('.left').first();
    const first = await left.textContent();
    assert.match(first, /^1 min 2\d s$|^1 min 30 s$/);
    await view.page.waitForFunction(
      ([selector, was]) => document.querySelector(selector).textContent !== was,
      ['tbody tr .left', first],
    );
    node.state = before;
    node.answers = {};
    await view.close();
  });
}
