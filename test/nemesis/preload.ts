/**
 * A library in front of libc's for the nodes of a test: fsync waits as long as a file says, and connections on the loopback
 * address leave from an address of the node's own, by which a proxy knows who opened them. Needs a C compiler.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** A file with milliseconds in decimal, read at each fsync. */
export const delayFileVariable = 'NEMESIS_FSYNC_DELAY_FILE';
/** 127.x.y.z */
export const sourceAddressVariable = 'NEMESIS_SOURCE_ADDRESS';

const source = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void pause_as_told(void) {
  const char *path = getenv("${delayFileVariable}");
  char text[16] = {0};
  if (path == 0) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  long delay_ms = length > 0 ? atol(text) : 0;
  if (delay_ms <= 0) return;
  struct timespec delay = {delay_ms / 1000, (delay_ms % 1000) * 1000000L};
  nanosleep(&delay, 0);
}

int fsync(int fd) {
  static int (*real)(int);
  if (real == 0) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  pause_as_told();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == 0) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  pause_as_told();
  return real(fd);
}

int msync(void *address, size_t length, int flags) {
  static int (*real)(void *, size_t, int);
  if (real == 0) real = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
  pause_as_told();
  return real(address, length, flags);
}

static void leave_from_own_address(int fd, const struct sockaddr *to) {
  const char *own = getenv("${sourceAddressVariable}");
  const struct sockaddr_in *to4 = (const struct sockaddr_in *)to;
  if (own == 0 || to->sa_family != AF_INET || ntohl(to4->sin_addr.s_addr) >> 24 != 127) return;
  struct sockaddr_in from = {0};
  socklen_t length = sizeof from;
  // One that is bound already keeps its address.
  if (getsockname(fd, (struct sockaddr *)&from, &length) != 0 || from.sin_port != 0) return;
  int late = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, own, &address.sin_addr) == 1) bind(fd, (struct sockaddr *)&address, sizeof address);
}

int connect(int fd, const struct sockaddr *to, socklen_t length) {
  static int (*real)(int, const struct sockaddr *, socklen_t);
  if (real == 0) real = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
  leave_from_own_address(fd, to);
  return real(fd, to, length);
}
`;

/** @returns why it can not be; null: the library is there */
export function compilePreload(library: string): string | null {
  const file = `${library}.c`;
  writeFileSync(file, source);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, file, '-ldl'], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return String(error).split('\n')[0]!;
  }
}
