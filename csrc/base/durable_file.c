/* durable_file.c: see durable_file.h. */
#include "base/durable_file.h"

#include "base/memory.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVATE (S_IRUSR | S_IWUSR)
#define OTHERS (S_IRWXG | S_IRWXO)

/* 0, or the errno of a call that failed. */
static int outcome(int result) { return result == 0 ? 0 : errno; }

/* Makes a new name in the directory of `path` durable. */
static int sync_directory(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
  char *directory = length == 0 ? pt_copy(".", 1) : pt_copy(path, length);
  if (directory == NULL)
    return ENOMEM;
  int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  pt_free(directory);
  if (descriptor < 0)
    return errno;
  int problem = outcome(fsync(descriptor));
  (void)close(descriptor); /* only read */
  /* EINVAL: the file system has nothing to sync */
  return problem == EINVAL ? 0 : problem;
}

int pt_durable_create(const char *path) {
  int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, PRIVATE);
  if (descriptor < 0)
    return errno;
  int problem = outcome(fchmod(descriptor, PRIVATE)); /* a umask may have taken too much */
  if (close(descriptor) != 0 && problem == 0)
    problem = errno;
  return problem != 0 ? problem : sync_directory(path);
}

/* Whether a newline has to come first: 0 or 1, or -1 and errno. */
static int lacks_newline(int descriptor, off_t size) {
  char last = '\n';
  ssize_t count = size > 0 ? pread(descriptor, &last, 1, size - 1) : 1;
  if (count == 0)
    errno = EIO; /* the file was cut meanwhile */
  return count != 1 ? -1 : last != '\n';
}

static int write_line(int descriptor, const pt_durable_line *text, bool newline_first) {
  size_t size = text->length + 1 + (newline_first ? 1 : 0);
  char *line = pt_malloc(size);
  if (line == NULL)
    return ENOMEM;
  if (newline_first)
    line[0] = '\n';
  if (text->length > 0)
    memcpy(line + size - text->length - 1, text->bytes, text->length);
  line[size - 1] = '\n';
  ssize_t written;
  do
    written = write(descriptor, line, size);
  while (written < 0 && errno == EINTR);
  int problem = written < 0 ? errno : (size_t)written == size ? 0 : EIO;
  pt_wipe(line, size); /* it may hold a key */
  pt_free(line);
  return problem;
}

static int append(int descriptor, const pt_durable_line *lines, size_t count) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return errno;
  if (!S_ISREG(status.st_mode))
    return EINVAL;
  if ((status.st_mode & OTHERS) != 0 && fchmod(descriptor, PRIVATE) != 0)
    return errno;
  int newline_first = lacks_newline(descriptor, status.st_size);
  if (newline_first < 0)
    return errno;
  int problem = 0;
  for (size_t i = 0; i < count && problem == 0; i++)
    problem = write_line(descriptor, &lines[i], i == 0 && newline_first);
  return problem != 0 ? problem : outcome(fsync(descriptor));
}

int pt_durable_append(const char *path, const pt_durable_line *lines, size_t count) {
  int problem = pt_durable_create(path);
  if (problem != 0 && problem != EEXIST)
    return problem;
  int descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return errno;
  problem = append(descriptor, lines, count);
  if (close(descriptor) != 0 && problem == 0)
    problem = errno;
  return problem;
}
