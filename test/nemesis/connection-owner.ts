/**
 * Which node of a cluster on this machine opened a connection: the kernel's table names the socket, and the process that
 * holds it names the node. Only children of this process are asked, as a look at all processes of a busy machine takes
 * longer than nodes wait for each other. So one proxy in front of a node knows the links apart, and nodes need not know of it.
 */
import { nodeNameVariable } from '../harness/cluster.ts';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Columns of /proc/net/tcp. */
const localColumn = 1;
const inodeColumn = 9;

/** @returns the name of the node (`nodeNameVariable`) whose process that connected from this loopback port, or null where none is known */
export function ownerOf(port: number): string | null {
  const inode = inodeOf(port);
  if (inode === null) return null;
  const wanted = `socket:[${inode}]`;
  for (const pid of childProcesses()) {
    const name = nodeName(pid);
    if (name !== null && holds(pid, wanted)) return name;
  }
  return null;
}

function childProcesses(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
}

function inodeOf(port: number): string | null {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[localColumn] === address) return columns[inodeColumn] ?? null;
  }
  return null;
}

function nodeName(pid: string): string | null {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    const named = variables.find((text) => text.startsWith(`${nodeNameVariable}=`));
    return named === undefined ? null : named.slice(nodeNameVariable.length + 1);
  } catch {
    // It ended meanwhile, or is another user's.
    return null;
  }
}

function holds(pid: string, wanted: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => linkAt(`${folder}/${fd}`) === wanted);
  } catch {
    return false;
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
