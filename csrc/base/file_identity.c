/* file_identity.c: see file_identity.h. */
#include "base/file_identity.h"

#include <sys/stat.h>

bool pt_file_identify(const char *path, pt_file_identity *identity) {
  struct stat status;
  if (stat(path, &status) != 0)
    return false;
  *identity = (pt_file_identity){(uint64_t)status.st_dev, (uint64_t)status.st_ino};
  return true;
}
