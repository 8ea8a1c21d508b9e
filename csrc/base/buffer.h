/* buffer.h: a growable run of bytes that remembers a failed allocation, so that writers need no
 * check per write. */
#ifndef PT_BUFFER_H
#define PT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  char *bytes; /* NUL-terminated once anything was written; NULL before */
  size_t length;
  size_t capacity;
  bool failed; /* an allocation failed: the content is incomplete and later writes do nothing */
} pt_buffer;

/* A zeroed pt_buffer is empty and valid. */
void pt_buffer_add(pt_buffer *buffer, const char *bytes, size_t length);
void pt_buffer_add_text(pt_buffer *buffer, const char *text);
void pt_buffer_add_char(pt_buffer *buffer, char c);
/* Room for `length` more bytes at the end, to be written by the caller, who then adds to
 * `buffer->length`, and for a NUL; NULL on failure. */
char *pt_buffer_reserve(pt_buffer *buffer, size_t length);
/* Empties and keeps the memory. */
void pt_buffer_clear(pt_buffer *buffer);
/* Frees the memory; the buffer is empty and valid again. */
void pt_buffer_free(pt_buffer *buffer);

#endif
