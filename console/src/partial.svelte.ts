// Why a list of verdicts may lack something, in words; null if nothing is known to lack.
import { node } from './node.svelte';
import { say } from './reader.svelte';
import { ltr } from './words';

/** Verdicts rest on all logs: a node that has not been heard may know more. */
export function partialPeers(): string | null {
  const names = node.silentPeers.filter((peer) => peer.role !== 'witness').map((peer) => ltr(peer.name));
  return names.length > 0 ? say('partial-peers', { names: names.join(' ') }) : null;
}
