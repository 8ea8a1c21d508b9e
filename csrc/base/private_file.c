/* private_file.c: see private_file.h. */
#include "base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20, BLOCK = 4096 }; /* bytes */

static pt_file_exposure exposure_of(const struct stat *status) {
  if (!S_ISREG(status->st_mode))
    return PT_FILE_PRIVATE;
  if ((status->st_mode & (S_IROTH | S_IWOTH)) != 0)
    return PT_FILE_OPEN_TO_ALL;
  bool group = (status->st_mode & (S_IRGRP | S_IWGRP)) != 0;
  return group && status->st_uid != 0 ? PT_FILE_OPEN_TO_GROUP : PT_FILE_PRIVATE;
}

static int read_all(int descriptor, pt_buffer *out) {
  /* In one piece: a buffer that grows leaves what it held before in memory. */
  if (pt_buffer_reserve(out, MAX_FILE + 1) == NULL)
    return ENOMEM;
  for (;;) {
    size_t left = MAX_FILE + 1 - out->length;
    ssize_t count = read(descriptor, out->bytes + out->length, left < BLOCK ? left : BLOCK);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return count < 0 ? errno : 0;
    out->length += (size_t)count;
    if (out->length > MAX_FILE)
      return EFBIG;
  }
}

int pt_private_read(const char *path, pt_buffer *out, pt_file_exposure *exposure) {
  struct stat status;
  *exposure = PT_FILE_PRIVATE;
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return errno;
  int problem = fstat(descriptor, &status) != 0 ? errno : 0;
  if (problem == 0)
    *exposure = exposure_of(&status);
  if (problem == 0 && *exposure == PT_FILE_PRIVATE)
    problem = read_all(descriptor, out);
  (void)close(descriptor); /* only read */
  return problem;
}
