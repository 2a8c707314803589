/**
 * One direction of one connection as the proxy holds it: bytes go in as they arrive and come out when the fault of the
 * moment lets them. Pure: the caller tells the time. Always: bytes come out once each, in order, whatever the faults did
 * in between; what a blackhole holds comes out when it ends, as TCP would send it again.
 */
import assert from 'node:assert';

export interface Fault {
  /** Nothing passes; what arrives is held. */
  readonly blackhole: boolean;
  /** Each byte leaves this long after it arrived, 0 or more. */
  readonly delayMs: number;
  /** Above 0; Infinity for no limit. */
  readonly bytesPerSecond: number;
}

export const noFault: Fault = { blackhole: false, delayMs: 0, bytesPerSecond: Infinity };

/** Of a rate limit, what may pass in one go after a quiet time. */
const burstSeconds = 0.05;

/** Of a byte: what floating point may lose of an allowance. */
const rounding = 1e-6;

export class Shaper {
  readonly #queue: { bytes: Buffer; readonly arrivedMs: number }[] = [];
  #fault: Fault = noFault;
  #queuedBytes = 0;
  /** Bytes that the rate limit lets pass now. */
  #allowance = 0;
  #allowanceAtMs = 0;
  #lastMs = 0;

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  setFault(fault: Fault): void {
    assert(fault.delayMs >= 0, `delay ${fault.delayMs} ms`);
    assert(fault.bytesPerSecond > 0, `${fault.bytesPerSecond} bytes/s: to let nothing pass, use a blackhole`);
    this.#fault = fault;
  }

  /** Keeps the buffer; the caller must not change it. */
  push(bytes: Buffer, nowMs: number): void {
    this.#seeTime(nowMs);
    if (bytes.length === 0) return;
    this.#queue.push({ bytes, arrivedMs: nowMs });
    this.#queuedBytes += bytes.length;
  }

  /** What may leave now, in order. */
  take(nowMs: number): Buffer[] {
    this.#seeTime(nowMs);
    this.#refill(nowMs);
    const out: Buffer[] = [];
    while (this.#queue.length > 0 && this.#nextMs(nowMs) <= nowMs) {
      const head = this.#queue[0]!;
      const count = Math.min(head.bytes.length, Math.floor(this.#allowance + rounding));
      out.push(head.bytes.subarray(0, count));
      // Without a limit the allowance is infinite and stays so.
      this.#allowance -= count;
      this.#queuedBytes -= count;
      if (count === head.bytes.length) this.#queue.shift();
      else head.bytes = head.bytes.subarray(count);
    }
    return out;
  }

  /** When `take` has something again, as far as is known now: Infinity when nothing is held or nothing may pass. */
  nextMs(nowMs: number): number {
    this.#seeTime(nowMs);
    this.#refill(nowMs);
    return this.#nextMs(nowMs);
  }

  #nextMs(nowMs: number): number {
    const head = this.#queue[0];
    if (head === undefined || this.#fault.blackhole) return Infinity;
    const arrivalMs = head.arrivedMs + this.#fault.delayMs;
    // Wait until a piece worth sending may pass, not until one byte may.
    const wanted = Math.min(head.bytes.length, this.#burstBytes());
    const short = wanted - this.#allowance;
    return short <= rounding
      ? arrivalMs
      : Math.max(arrivalMs, nowMs + (short / this.#fault.bytesPerSecond) * 1000);
  }

  #burstBytes(): number {
    return Math.max(1, Math.floor(this.#fault.bytesPerSecond * burstSeconds));
  }

  #refill(nowMs: number): void {
    const { bytesPerSecond } = this.#fault;
    const earned =
      bytesPerSecond === Infinity ? Infinity : ((nowMs - this.#allowanceAtMs) / 1000) * bytesPerSecond;
    this.#allowance = Math.min(this.#burstBytes(), this.#allowance + earned);
    this.#allowanceAtMs = nowMs;
  }

  #seeTime(nowMs: number): void {
    assert(nowMs >= this.#lastMs, `time went back: ${this.#lastMs} -> ${nowMs}`);
    this.#lastMs = nowMs;
  }
}
