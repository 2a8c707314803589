/**
 * Proposals per second through three voters in one process, storage in memory: what consensus itself costs, without disk
 * and network. `node packages/raft/src/raft.bench.ts [proposals] [batch]`
 */
import { MemoryStorage } from './memory-storage.ts';
import { emptyConfState, noBytes, type Message } from './message.ts';
import { RawNode } from './raft-node.ts';

const proposals = Number(process.argv[2] ?? 200_000);
const batch = Number(process.argv[3] ?? 16);
const data = new Uint8Array(256);

const voters = [1, 2, 3];
const hosts = voters.map((id) => {
  const storage = new MemoryStorage();
  const confState = { ...emptyConfState, voters };
  storage.applySnapshot({ meta: { index: 1, term: 0, confState }, data: noBytes });
  const node = new RawNode({ id, storage, electionTicks: 10, heartbeatTicks: 1, randomBelow: () => 0 });
  return { node, storage, applied: 1 };
});

let messages = 0;
function run(): void {
  let mail: Message[] = [];
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const host of hosts) {
      if (!host.node.hasReady()) continue;
      isBusy = true;
      const ready = host.node.ready();
      if (ready.hardState !== null) host.storage.setHardState(ready.hardState);
      host.storage.append(ready.entries);
      mail.push(...ready.messages);
      host.applied += ready.committedEntries.length;
      host.node.advance();
    }
    const due = mail;
    mail = [];
    messages += due.length;
    for (const message of due) hosts[message.to - 1]!.node.step(message);
    if (due.length > 0) isBusy = true;
  }
}

hosts[0]!.node.campaign();
run();
const start = performance.now();
for (let done = 0; done < proposals; done += batch) {
  for (let i = 0; i < batch; i += 1) hosts[0]!.node.propose(data);
  run();
  if (done % (batch * 512) === 0)
    for (const { node, storage } of hosts) storage.compact(node.status().applied);
}
const seconds = (performance.now() - start) / 1000;
const perSecond = Math.round(proposals / seconds);
process.stdout.write(
  `${proposals} proposals of ${data.length} bytes, ${batch} at a time: ${perSecond} a second, ${(messages / proposals).toFixed(2)} messages each, applied ${hosts.map(({ applied }) => applied).join('/')}\n`,
);
