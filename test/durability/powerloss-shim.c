/*
 * LD_PRELOAD library that notes what a power loss would keep. Used by power-loss.ts, which builds it.
 *
 *   QUIVER_POWERLOSS_ROOT  only paths below it count (absolute, no symbolic links)
 *   QUIVER_POWERLOSS_SIDE  a directory outside of it: `log`, and hard links to files that were unlinked or replaced
 *
 * Lines of the log, appended by single writes (fields are separated by tabs):
 *   S <device> <inode> <size> <metadata count> <path>   a file was synced; the size and the count are from before the call
 *   U <number> <inode> <path>                           a file was unlinked; saved as <number>
 *   R <number> <replaced inode or 0> <old> <new>        a file was renamed; what it replaced is saved as <number>
 *
 * The model: a file's bytes are durable up to its size at its last sync. Renames and unlinks are a journal: those made
 * before the beginning of any later sync of a file or directory are durable (ext4 and xfs commit their journal, in
 * order, with every fsync). Creating a file is durable with its own first sync. Not modelled: bytes overwritten in
 * place, mmap, directories, truncation.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *side;
static size_t root_length;
static int log_file = -1;
static long metadata_count, purged_count;

static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *), (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  root = getenv("QUIVER_POWERLOSS_ROOT");
  side = getenv("QUIVER_POWERLOSS_SIDE");
  if (!root || !side) return;
  root_length = strlen(root);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/log", side);
  log_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static void note(const char *text, int length) {
  if (length > 0 && write(log_file, text, length) != length) abort();
}

static int counts(const char *path, char *absolute) {
  if (log_file < 0) return 0;
  if (path[0] == '/') {
    if (snprintf(absolute, PATH_MAX, "%s", path) >= PATH_MAX) return 0;
  } else {
    char folder[PATH_MAX];
    if (!getcwd(folder, sizeof folder)) return 0;
    if (snprintf(absolute, PATH_MAX, "%s/%s", folder, path) >= PATH_MAX) return 0;
  }
  return strncmp(absolute, root, root_length) == 0 && absolute[root_length] == '/';
}

static int synced(int fd, int (*real)(int)) {
  char link[64], path[PATH_MAX];
  struct stat before;
  ssize_t length = -1;
  long count = 0;
  if (log_file >= 0 && fstat(fd, &before) == 0) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length > 0) path[length] = 0;
    if (length < (ssize_t)root_length || strncmp(path, root, root_length) != 0) length = -1;
    pthread_mutex_lock(&lock);
    count = metadata_count;
    pthread_mutex_unlock(&lock);
  }
  int result = real(fd);
  if (result != 0 || length < 0) return result;
  int kept = errno;
  char line[PATH_MAX + 128];
  pthread_mutex_lock(&lock);
  note(line, snprintf(line, sizeof line, "S\t%lu\t%lu\t%lld\t%ld\t%s\n", (unsigned long)before.st_dev,
                      (unsigned long)before.st_ino, (long long)before.st_size, count, path));
  for (; purged_count < count; purged_count++) {
    char saved[PATH_MAX];
    snprintf(saved, sizeof saved, "%s/%ld", side, purged_count + 1);
    real_unlink(saved);
  }
  pthread_mutex_unlock(&lock);
  errno = kept;
  return result;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int unlink(const char *path) {
  char absolute[PATH_MAX], saved[PATH_MAX], line[PATH_MAX + 128];
  struct stat found;
  if (!counts(path, absolute) || lstat(path, &found) != 0) return real_unlink(path);
  pthread_mutex_lock(&lock);
  snprintf(saved, sizeof saved, "%s/%ld", side, metadata_count + 1);
  int held = link(absolute, saved) == 0;
  int result = real_unlink(path);
  int kept = errno;
  if (result == 0)
    note(line, snprintf(line, sizeof line, "U\t%ld\t%lu\t%s\n", ++metadata_count, (unsigned long)found.st_ino, absolute));
  else if (held)
    real_unlink(saved);
  pthread_mutex_unlock(&lock);
  errno = kept;
  return result;
}

int rename(const char *from, const char *to) {
  char old[PATH_MAX], new[PATH_MAX], saved[PATH_MAX], line[2 * PATH_MAX + 128];
  struct stat replaced;
  if (!counts(from, old) || !counts(to, new)) return real_rename(from, to);
  pthread_mutex_lock(&lock);
  int exists = lstat(new, &replaced) == 0 && S_ISREG(replaced.st_mode);
  snprintf(saved, sizeof saved, "%s/%ld", side, metadata_count + 1);
  int held = exists && link(new, saved) == 0;
  int result = real_rename(from, to);
  int kept = errno;
  if (result == 0)
    note(line, snprintf(line, sizeof line, "R\t%ld\t%lu\t%s\t%s\n", ++metadata_count,
                        exists ? (unsigned long)replaced.st_ino : 0UL, old, new));
  else if (held)
    real_unlink(saved);
  pthread_mutex_unlock(&lock);
  errno = kept;
  return result;
}
