// `hamsaya demo` as the tests use it: started, read until it has printed where its nodes are, stopped as a person stops it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const patience_ms = 300_000;

/** Node, address, and the office and password that sign in there, of a line of the demo's list. */
export function readNode(line) {
  const found = /^\s*(\S+)\s+(https?:\S+?)\/?(?:\s+sign in as (\S+) with (\S+))?\s*$/.exec(line);
  return found && { node: found[1], url: found[2], office: found[3] ?? null, password: found[4] ?? null };
}

export async function startDemo(binary) {
  const demo = spawn(binary, ['demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  const told = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the demo named no console in time:\n${said.join('\n')}`)), patience_ms);
    // When the story is told it prints `console` and under it of each node its page and who signs in there; then it waits:
    //   P1  http://127.0.0.1:45673/  sign in as chair with <password>
    let isTold = false;
    const read = (line) => {
      said.push(line);
      isTold ||= line.trim() === 'console';
      const found = isTold && readNode(line);
      if (found?.node !== 'P1') return;
      clearTimeout(late);
      resolve(found);
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
    return { ...(await told), stop };
  } catch (failure) {
    await stop();
    throw failure;
  }
}
