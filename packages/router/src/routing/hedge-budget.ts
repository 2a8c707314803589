/** How many second calls may be made: a share of the first ones, a few saved up. Pure state of one number. */
import { hedgeSavedMax, hedgeShare } from './limits.ts';

export interface HedgeBudget {
  saved: number;
}

export function createHedgeBudget(): HedgeBudget {
  return { saved: 1 };
}

export function earnHedge(budget: HedgeBudget): void {
  budget.saved = Math.min(hedgeSavedMax, budget.saved + hedgeShare);
}

/** Whether a second call may be made; it is then paid for. */
export function spendHedge(budget: HedgeBudget): boolean {
  if (budget.saved < 1) return false;
  budget.saved -= 1;
  return true;
}
