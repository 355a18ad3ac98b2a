/* Preloaded into a process: each fsync and fdatasync of it takes SLOW_FSYNC_MS longer, as on a worn card. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_long(void) {
  const char *text = getenv("SLOW_FSYNC_MS");
  const long ms = text ? atol(text) : 0;
  const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

int fsync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_long();
  return real(file);
}

int fdatasync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_long();
  return real(file);
}
