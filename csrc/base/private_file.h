/* private_file.h: reads files that hold secrets, where nobody else can. */
#ifndef PT_PRIVATE_FILE_H
#define PT_PRIVATE_FILE_H

#include "base/buffer.h"

typedef enum {
  PT_FILE_PRIVATE,
  PT_FILE_OPEN_TO_ALL,  /* other users may read or write it */
  PT_FILE_OPEN_TO_GROUP /* its group may, and it is not root's: secrets of containers are */
} pt_file_exposure;

/* Appends what is in the file, a megabyte at most; free it with pt_buffer_wipe. Its rights are
   asked of the opened file. Returns 0, or an errno: EFBIG where it is larger, ENOMEM. Nothing is
   read where `*exposure` is another than PT_FILE_PRIVATE; a pipe or a terminal is private. */
int pt_private_read(const char *path, pt_buffer *out, pt_file_exposure *exposure);

#endif
