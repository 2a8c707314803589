/**
 * The mark that changes of moving slots carry through the order of a shard, in the place of a receipt: as of which
 * configuration they are. Always: a follower hears of it with the change itself, before it is shown, however late the
 * catalogue comes to it.
 */
const prefix = 'slots ';

export function slotMark(cfgVersion: number): string {
  return `${prefix}${cfgVersion}`;
}

/** null: an operation of a client. */
export function markedConfiguration(receipt: string): number | null {
  return receipt.startsWith(prefix) ? Number(receipt.slice(prefix.length)) : null;
}
