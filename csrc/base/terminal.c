/* terminal.c: see terminal.h. */
#include "base/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>

int pt_terminal_columns(int descriptor) {
  struct winsize size = {0};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0)
    return 0;
  return size.ws_col;
}

bool pt_terminal_readable(int descriptor, double seconds) {
  struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
  const double most = 1e6; /* fits an int of milliseconds */
  int milliseconds = seconds > 0 ? (int)((seconds < most ? seconds : most) * 1000) : 0;
  /* A hang-up counts: reading then says that nothing more comes. */
  return poll(&wanted, 1, milliseconds) > 0;
}
