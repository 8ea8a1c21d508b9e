/* durable_file.h: private files whose lines survive a crash of the process or of the machine. */
#ifndef PT_DURABLE_FILE_H
#define PT_DURABLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Makes an empty file that only its owner can read and write (mode 0600 whatever the umask), and
 * makes its name durable. Returns 0, or an errno: EEXIST where the path is taken, in which case
 * nothing is opened. */
int pt_durable_create(const char *path);

typedef struct {
  const char *bytes; /* no newline in them; not owned */
  size_t length;
} pt_durable_line;

/* Appends lines, each with one write(2), then waits until they are on disk. The file is made as by
 * pt_durable_create where it is missing, and closed to others where it is open to them. A last line
 * without a newline, as a full disk leaves it, is ended first. Returns 0, or an errno: EINVAL where
 * the path is not a regular file, EIO where only a part of a line could be written, ENOMEM. */
int pt_durable_append(const char *path, const pt_durable_line *lines, size_t count);

#endif
