// Which nodes of the open graph a walk has met: this thread's marks, a u32 epoch in the first 64 bytes, then u16[count]. Always:
// a walk begins by a new epoch, which forgets all marks but that of the hidden row.

/** No row. */
const NONE: u32 = 0xffffffff;

let VISITED: usize = 0;
let count: u32 = 0;
let epoch: u32 = 0;
/** A row that searches pass over as if it were not in the graph; NONE = every row counts. */
let hidden: u32 = NONE;

export function openVisited(visited: usize, nodes: u32): void {
  VISITED = visited;
  count = nodes;
  epoch = load<u32>(visited);
  hidden = NONE;
}

/**
 * Makes walks of the open graph pass over a row, until a graph is opened again: what they find is what they would if the row had
 * not been inserted. REQUIRES: the row is in no layer above 0 and has no equals.
 */
export function hideRow(row: u32): void {
  hidden = row;
}

export function newEpoch(): void {
  epoch++;
  if (epoch > 0xffff) {
    memory.fill(VISITED + 64, 0, <usize>count << 1);
    epoch = 1;
  }
  store<u32>(VISITED, epoch);
  // A marked row is neither expanded nor an answer.
  if (hidden != NONE) seen(hidden);
}

/** Marks a node; true when it was marked already. */
// @ts-ignore: decorator
@inline
export function seen(node: u32): bool {
  const at = VISITED + (<usize>node << 1);
  if (load<u16>(at, 64) == <u16>epoch) return true;
  store<u16>(at, <u16>epoch, 64);
  return false;
}

/** Whether a node is marked. */
// @ts-ignore: decorator
@inline
export function isSeen(node: u32): bool {
  return load<u16>(VISITED + (<usize>node << 1), 64) == <u16>epoch;
}
