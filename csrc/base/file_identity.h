/* file_identity.h: tells a file from another that came to its path later. */
#ifndef PT_FILE_IDENTITY_H
#define PT_FILE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t device, inode; /* of no other file while this one is open */
} pt_file_identity;

/* The identity of the file at a path, which is not opened; false where there is none. */
bool pt_file_identify(const char *path, pt_file_identity *identity);

#endif
