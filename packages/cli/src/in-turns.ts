/**
 * Work that is done one after the other, in the order of asking. Always: what fails is told to who asked for it, and holds
 * up nothing behind it.
 */
export type InTurns = (act: () => Promise<void>) => Promise<void>;

export function inTurns(): InTurns {
  let last: Promise<void> = Promise.resolve();
  return (act) => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
}
