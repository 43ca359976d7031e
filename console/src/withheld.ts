// What a list does not show its reader, as the node counts it.
//
//     { 'TLP:AMBER': 3, 'column training': 2 }
//     -> [{ marking: 'TLP:AMBER', n: 3 }, { column: 'training', n: 2 }]
//
// Of `TLP:RED` nothing is said, not even here, should a node ever say it.
import type { Withheld } from './api';

export interface WithheldLine {
  marking?: string;
  column?: string;
  n: number;
}

const column = 'column ';

export function withheldLines(withheld: Withheld): WithheldLine[] {
  const lines: WithheldLine[] = [];
  for (const [why, n] of Object.entries(withheld)) {
    if (n <= 0) continue;
    if (why.startsWith(column)) lines.push({ column: why.slice(column.length), n });
    else if (why.startsWith('TLP:') && why !== 'TLP:RED') lines.push({ marking: why, n });
  }
  return lines;
}

/** Of two pages of one list. */
export function together(one: Withheld, other: Withheld): Withheld {
  const sum = { ...one };
  for (const [why, n] of Object.entries(other)) sum[why] = (sum[why] ?? 0) + n;
  return sum;
}
