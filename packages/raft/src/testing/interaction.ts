/**
 * Runs interaction scripts: a few nodes, the messages between them, and commands that let exactly one thing happen.
 * Always: a command's answer depends only on the commands before it.
 */
import { asV2, confChangesFromText, type ConfChangeTransition } from '../conf-change.ts';
import {
  createMessage,
  emptySnapshot,
  isStorageThread,
  noLimit,
  type Message,
  type MessageType,
  type NodeId,
} from '../message.ts';
import { describeEntries, describeMessage, describeProgressMap, describeReady } from '../describe.ts';
import { RaftError, type StepResult } from '../error.ts';
import type { Argument, Directive } from './data-driven.ts';
import { InteractionNode, nodeOptions } from './interaction-node.ts';
import { InteractionOutput } from './interaction-output.ts';

/** etcd's words for what a node refuses. */
const refusals: Readonly<Record<Exclude<StepResult, 'stepped'>, string>> = {
  proposal_dropped: 'raft proposal dropped',
  local_message: 'raft: cannot step raft local message',
  peer_unknown: 'raft: cannot step as peer not found',
  malformed: 'malformed message',
};

const transitions: Readonly<Record<string, ConfChangeTransition>> = {
  auto: 'ConfChangeTransitionAuto',
  implicit: 'ConfChangeTransitionJointImplicit',
  explicit: 'ConfChangeTransitionJointExplicit',
};

export class Interaction {
  readonly #output = new InteractionOutput();
  readonly #nodes: InteractionNode[] = [];
  #messages: Message[] = [];

  readonly #commands: Readonly<Record<string, (directive: Directive) => void>> = {
    'add-nodes': ({ args }) => this.#addNodes(args),
    campaign: ({ args }) => this.#first(args).raw.campaign(),
    compact: ({ args }) => {
      this.#first(args).storage.compact(Number(args[1]!.key));
      this.#printLog(this.#first(args));
    },
    'deliver-msgs': ({ args }) => this.#deliverCommand(args),
    'process-ready': ({ args }) => this.#each(args, 'handling Ready', (node) => this.#processReady(node)),
    'process-append-thread': ({ args }) =>
      this.#each(args, 'processing append thread', (node) => this.#processAppend(node)),
    'process-apply-thread': ({ args }) =>
      this.#each(args, 'processing apply thread', (node) => this.#processApply(node)),
    'log-level': ({ args }) => this.#output.setLevel(args[0]!.key),
    'raft-log': ({ args }) => this.#printLog(this.#first(args)),
    'raft-state': () => this.#printStates(),
    'set-randomized-election-timeout': ({ args }) => {
      this.#first(args).raw.core.randomizedElectionTicks = Number(valueOf(args, 'timeout'));
    },
    stabilize: ({ args }) => this.#stabilizeCommand(args),
    status: ({ args }) => this.#output.write(describeProgressMap(this.#first(args).raw.status().progress)),
    'tick-election': ({ args }) => this.#tick(this.#first(args), 'electionTicks'),
    'tick-heartbeat': ({ args }) => this.#tick(this.#first(args), 'heartbeatTicks'),
    'transfer-leadership': ({ args }) =>
      this.#node(Number(valueOf(args, 'from'))).raw.transferLeader(Number(valueOf(args, 'to'))),
    'forget-leader': ({ args }) => this.#first(args).raw.forgetLeader(),
    'send-snapshot': ({ args }) => this.#sendSnapshot(Number(args[0]!.key), Number(args[1]!.key)),
    propose: ({ args }) => this.#first(args).raw.propose(new TextEncoder().encode(args[1]!.key)),
    'propose-conf-change': (directive) => this.#proposeConfChange(directive),
    'report-unreachable': ({ args }) => this.#first(args).raw.reportUnreachable(Number(args[1]!.key)),
  };

  run(directive: Directive): string {
    this.#output.clear();
    try {
      const command = this.#commands[directive.command];
      if (command === undefined) throw new Error('unknown command');
      command(directive);
    } catch (error) {
      const isDropped = error instanceof RaftError && error.code === 'proposal_dropped';
      const text = isDropped ? refusals.proposal_dropped : (error as Error).message;
      if (this.#output.isQuiet) return text;
      this.#output.write(text);
    }
    return this.#output.text === '' ? 'ok' : this.#output.text;
  }

  #node(id: NodeId): InteractionNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #first(args: readonly Argument[]): InteractionNode {
    return this.#node(Number(args[0]!.key));
  }

  #each(args: readonly Argument[], doing: string, act: (node: InteractionNode) => void): void {
    const nodes = args.filter(({ values }) => values.length === 0).map(({ key }) => this.#node(Number(key)));
    for (const node of nodes) {
      if (nodes.length === 1) act(node);
      else this.#announce(node, doing, () => act(node));
    }
  }

  #announce(node: InteractionNode, doing: string, act: () => void): void {
    this.#output.write(`> ${node.config.id} ${doing}\n`);
    this.#output.indent(act);
  }

  #addNodes(args: readonly Argument[]): void {
    const { options, snapshot } = nodeOptions(args.slice(1));
    if (snapshot !== null && snapshot.meta.index <= 1)
      throw new Error('index must be specified as > 1 due to bootstrap');
    for (let i = 0; i < Number(args[0]!.key); i += 1) {
      const config = { ...options, id: this.#nodes.length + 1, logger: this.#output };
      this.#nodes.push(new InteractionNode(config, snapshot ?? emptySnapshot));
    }
  }

  #deliverCommand(args: readonly Argument[]): void {
    const type = args.find(({ key }) => key === 'type')?.values[0] as MessageType | undefined;
    let delivered = 0;
    for (const { key, values } of args) {
      if (values.length === 0) delivered += this.#deliver(Number(key), { type, isDropped: false });
      else if (key === 'drop')
        for (const id of values) delivered += this.#deliver(Number(id), { type, isDropped: true });
    }
    if (delivered === 0) this.#output.write('no messages\n');
  }

  #deliver(to: NodeId, how: { type?: MessageType | undefined; isDropped: boolean }): number {
    const isTaken = (message: Message): boolean =>
      message.to === to &&
      !(how.isDropped && isLocal(message)) &&
      (how.type === undefined || message.type === how.type);
    const taken = this.#messages.filter(isTaken);
    this.#messages = this.#messages.filter((message) => !isTaken(message));
    for (const message of taken) {
      this.#output.write(`${how.isDropped ? 'dropped: ' : ''}${describeMessage(message)}\n`);
      if (how.isDropped) continue;
      const result = this.#node(to).raw.step(message);
      if (result !== 'stepped') this.#output.write(`${refusals[result]}\n`);
    }
    return taken.length;
  }

  #processReady(node: InteractionNode): void {
    const isAsync = node.config.asyncStorageWrites === true;
    const ready = node.raw.ready();
    this.#output.write(describeReady(ready));
    if (!isAsync) {
      node.append(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.type === 'MsgStorageAppend') node.appendWork.push(message);
      else if (message.type === 'MsgStorageApply') node.applyWork.push(message);
      else this.#messages.push(message);
    }
    if (!isAsync) node.raw.advance();
  }

  #processAppend(node: InteractionNode): void {
    this.#processWork(node.appendWork, 'append', ({ term, vote, commit, entries, snapshot }) =>
      node.append({ term, vote, commit }, entries, snapshot),
    );
  }

  #processApply(node: InteractionNode): void {
    this.#processWork(node.applyWork, 'apply', ({ entries }) => node.apply(entries));
  }

  #processWork(work: Message[], kind: string, act: (message: Message) => void): void {
    const message = work.shift();
    if (message === undefined) {
      this.#output.write(`no ${kind} work to perform`);
      return;
    }
    this.#output.write(`Processing:\n${describeMessage({ ...message, responses: [] })}\n`);
    act(message);
    this.#output.write('Responses:\n');
    for (const response of message.responses) this.#output.write(`${describeMessage(response)}\n`);
    this.#messages.push(...message.responses);
  }

  #stabilizeCommand(args: readonly Argument[]): void {
    const { level } = this.#output;
    const wanted = args.find(({ key }) => key === 'log-level')?.values[0];
    if (wanted !== undefined) this.#output.setLevel(wanted);
    const ids = args.filter(({ values }) => values.length === 0);
    this.#stabilize(ids.length === 0 ? this.#nodes : ids.map(({ key }) => this.#node(Number(key))));
    this.#output.level = level;
  }

  /** Everything that can happen on these nodes, round by round, until nothing can. */
  #stabilize(nodes: readonly InteractionNode[]): void {
    for (let isDone = false; !isDone;) {
      isDone = true;
      const round = (
        isDue: (node: InteractionNode) => boolean,
        doing: string,
        act: (node: InteractionNode) => void,
      ): void => {
        for (const node of nodes) {
          if (!isDue(node)) continue;
          isDone = false;
          this.#announce(node, doing, () => act(node));
        }
      };
      round(
        ({ raw }) => raw.hasReady(),
        'handling Ready',
        (node) => this.#processReady(node),
      );
      round(
        ({ config }) => this.#messages.some(({ to }) => to === config.id),
        'receiving messages',
        ({ config }) => this.#deliver(config.id, { isDropped: false }),
      );
      round(
        ({ appendWork }) => appendWork.length > 0,
        'processing append thread',
        (node) => {
          while (node.appendWork.length > 0) this.#processAppend(node);
        },
      );
      round(
        ({ applyWork }) => applyWork.length > 0,
        'processing apply thread',
        (node) => {
          while (node.applyWork.length > 0) this.#processApply(node);
        },
      );
    }
  }

  #printLog({ storage }: InteractionNode): void {
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      this.#output.write(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = storage.entries(first, last + 1, noLimit);
    this.#output.write(Array.isArray(entries) ? describeEntries(entries) : entries);
  }

  #printStates(): void {
    for (const { raw } of this.#nodes) {
      const { id, membership, softState, hardState } = raw.status();
      const { incoming, outgoing } = membership.voters;
      const voter = incoming.includes(id) || outgoing.includes(id) ? '(Voter)' : '(Non-Voter)';
      this.#output.write(`${id}: ${softState.role} ${voter} Term:${hardState.term} Lead:${softState.lead}\n`);
    }
  }

  #tick(node: InteractionNode, ticks: 'electionTicks' | 'heartbeatTicks'): void {
    for (let i = 0; i < node.config[ticks]; i += 1) node.raw.tick();
  }

  #sendSnapshot(from: NodeId, to: NodeId): void {
    const { raw, storage } = this.#node(from);
    const { term } = raw.status().hardState;
    const message = createMessage('MsgSnap', { term, from, to, snapshot: storage.snapshot() });
    this.#messages.push(message);
    this.#output.write(describeMessage(message));
  }

  #proposeConfChange({ args, input }: Directive): void {
    const changes = confChangesFromText(input);
    const isV1 = valueOf(args, 'v1') === 'true';
    const name = valueOf(args, 'transition') ?? 'auto';
    const transition = transitions[name];
    if (transition === undefined) throw new Error(`unknown transition ${name}`);
    if (isV1 && (changes.length > 1 || name !== 'auto'))
      throw new Error('v1 conf change can only have one operation and no transition');
    const node = this.#first(args).raw;
    if (isV1) node.proposeConfChange(changes[0]!);
    else node.proposeConfChange({ ...asV2({ type: 'ConfChangeAddNode', nodeId: 0 }), transition, changes });
  }
}

function valueOf(args: readonly Argument[], key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

function isLocal({ from, to }: Message): boolean {
  return from === to || isStorageThread(from) || isStorageThread(to);
}
