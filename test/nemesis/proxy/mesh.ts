/**
 * The links between the nodes of a cluster, one for each ordered pair (opener, target), and the partitions of a
 * network in terms of nodes. What one node sends another travels in two links: forward where it opened the connection,
 * backward where the other did; a cut from a to b takes both.
 */
import assert from 'node:assert';
import type { Socket } from 'node:net';
import { Link, type Target } from './link.ts';
import type { Fault } from './shaper.ts';

export class Mesh {
  readonly #links = new Map<string, Link>();
  readonly #nodes = new Set<string>();

  /** Opens the link for connections from one node to another, and tells the port to connect to. */
  async open(from: string, to: string, target: Target): Promise<number> {
    const key = `${from} -> ${to}`;
    assert(!this.#links.has(key), `link ${key} is open already`);
    const link = await Link.open(target);
    this.#links.set(key, link);
    this.#nodes.add(from).add(to);
    return link.port;
  }

  /** A connection `from` one node that came to a listener in front of `to`. REQUIRES: the link is open. */
  carry(from: string, to: string, socket: Socket): void {
    const link = this.#links.get(`${from} -> ${to}`);
    assert(link !== undefined, `no link ${from} -> ${to}`);
    link.carry(socket);
  }

  get nodes(): readonly string[] {
    return [...this.#nodes];
  }

  /** For what `from` sends to `to`, in connections of either's making. */
  setFault(from: string, to: string, fault: Partial<Fault>): void {
    this.#links.get(`${from} -> ${to}`)?.setFault('forward', fault);
    this.#links.get(`${to} -> ${from}`)?.setFault('backward', fault);
  }

  /** Nothing from `from` reaches `to`; the other way is as it was. */
  cutOneWay(from: string, to: string): void {
    this.setFault(from, to, { blackhole: true });
  }

  /** Nothing passes between the two groups. */
  partition(left: readonly string[], right: readonly string[]): void {
    for (const a of left)
      for (const b of right) {
        assert(a !== b, `${a} on both sides of a partition`);
        this.cutOneWay(a, b);
        this.cutOneWay(b, a);
      }
  }

  /** A partition that one node on neither side bridges. */
  bridge(left: readonly string[], middle: string, right: readonly string[]): void {
    assert(!left.includes(middle) && !right.includes(middle), `${middle} is the bridge`);
    this.partition(left, right);
  }

  /** Nothing passes between this node and any other. */
  isolate(node: string): void {
    this.partition(
      [node],
      this.nodes.filter((other) => other !== node),
    );
  }

  /** Breaks every connection between the two with RST. */
  reset(a: string, b: string): void {
    this.#links.get(`${a} -> ${b}`)?.reset();
    this.#links.get(`${b} -> ${a}`)?.reset();
  }

  heal(): void {
    for (const link of this.#links.values()) link.heal();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.close()));
    this.#links.clear();
  }
}
