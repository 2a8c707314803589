/**
 * What is remembered of a node whose connection failed: it is left alone for a moment, then one call probes it. Pure.
 * Always: while open nobody calls; once the time is over one caller at a time does, until one succeeds.
 */
import { circuitOpenMsMax, circuitOpenMsMin } from './limits.ts';

export interface Circuit {
  /** In a row. 0: closed. */
  readonly failures: number;
  readonly openUntilMs: number;
  readonly probing: boolean;
}

export const closedCircuit: Circuit = { failures: 0, openUntilMs: 0, probing: false };

/** probe: the caller is the one that finds out. */
export function admission(circuit: Circuit, nowMs: number): 'yes' | 'probe' | 'no' {
  if (circuit.failures === 0) return 'yes';
  return nowMs >= circuit.openUntilMs && !circuit.probing ? 'probe' : 'no';
}

export function afterProbeStart(circuit: Circuit): Circuit {
  return { ...circuit, probing: true };
}

/** The call ended and says nothing of the connection, as one that ran out of its own time. */
export function afterUnclear(circuit: Circuit): Circuit {
  return circuit.probing ? { ...circuit, probing: false } : circuit;
}

/** Calls that were under way when it opened fail too: they do not lengthen the time. */
export function afterFailure(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.failures > 0 && nowMs < circuit.openUntilMs) return { ...circuit, probing: false };
  const openMs = Math.min(circuitOpenMsMax, circuitOpenMsMin * 2 ** circuit.failures);
  return { failures: circuit.failures + 1, openUntilMs: nowMs + openMs, probing: false };
}
