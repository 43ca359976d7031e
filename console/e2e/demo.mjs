// `hamsaya demo` as the tests use it: started, read until it has printed where its nodes are, stopped as a person stops it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const patience_ms = 300_000;

export async function startDemo(binary) {
  const demo = spawn(binary, ['demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  const url = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the demo named no console in time:\n${said.join('\n')}`)), patience_ms);
    // When the story is told it prints `console` and under it the URL of each node's page; then it waits.
    let isTold = false;
    const read = (line) => {
      said.push(line);
      isTold ||= line.trim() === 'console';
      const found = isTold && /^\s*P1\s+(https?:\S+?)\/?$/.exec(line);
      if (!found) return;
      clearTimeout(late);
      resolve(found[1]);
    };
    createInterface({ input: demo.stdout }).on('line', read);
    createInterface({ input: demo.stderr }).on('line', (line) => said.push(line));
    demo.on('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${said.join('\n')}`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      if (demo.exitCode !== null) return resolve();
      demo.on('exit', resolve);
      demo.kill('SIGINT');
    });
  try {
    return { url: await url, stop };
  } catch (failure) {
    await stop();
    throw failure;
  }
}
