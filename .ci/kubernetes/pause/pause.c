/* The first process of a pod: keeps its namespaces open, collects orphans, and leaves when it is asked to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t all;
  int got;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (;;) {
    if (sigwait(&all, &got) != 0) continue;
    if (got == SIGTERM || got == SIGINT) _exit(0);
    if (got == SIGCHLD)
      while (waitpid(-1, 0, WNOHANG) > 0) {}
  }
}
