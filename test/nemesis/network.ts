/**
 * The network of a cluster of real processes: each node is told to others as a port of ours, and what arrives there goes
 * on through the link of the node that opened it, whose faults a test sets. Always: each ordered pair has its link
 * before a node starts.
 */
import assert from 'node:assert';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { ownerOf } from './connection-owner.ts';
import { Mesh } from './proxy/mesh.ts';

/** Whoever is no node: the test itself. */
export const outsider = 'outsider';

export interface Network {
  readonly mesh: Mesh;
  /** A loopback address of each node's own: connections from there are known at once to be the node's. */
  addressOf(name: string): string;
  /** For `ClusterOptions.advertise`. */
  advertise(name: string, address: string): Promise<string>;
  close(): Promise<void>;
}

/** @param names - all nodes that will ever open a connection */
export function createNetwork(names: readonly string[]): Network {
  const mesh = new Mesh();
  const addressOf = (name: string): string => `127.77.0.${1 + names.indexOf(name)}`;
  const byAddress = new Map(names.map((name) => [addressOf(name), name]));
  const fronts: Server[] = [];
  return {
    mesh,
    addressOf,
    async advertise(name, address) {
      assert(names.includes(name), `${name} is not of this network`);
      const { hostname, port } = new URL(address);
      const openers = [...names, outsider].filter((from) => from !== name);
      for (const from of openers) await mesh.open(from, name, { host: hostname, port: Number(port) });
      const front = createServer({ allowHalfOpen: true, pauseOnConnect: true });
      fronts.push(front);
      front.on('connection', (socket) => {
        const owner = byAddress.get(socket.remoteAddress ?? '') ?? ownerOf(socket.remotePort ?? 0);
        mesh.carry(owner !== null && openers.includes(owner) ? owner : outsider, name, socket);
      });
      await new Promise<void>((resolve, reject) => {
        front.once('error', reject);
        front.listen(0, '127.0.0.1', resolve);
      });
      return `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    },
    async close() {
      const closed = fronts.map((front) => new Promise<void>((resolve) => void front.close(() => resolve())));
      await mesh.close();
      await Promise.all(closed);
    },
  };
}
