/* buffer.c: see buffer.h. */
#include "base/buffer.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

char *pt_buffer_reserve(pt_buffer *buffer, size_t length) {
  if (buffer->failed)
    return NULL;
  if (length > SIZE_MAX / 4 - buffer->length) {
    buffer->failed = true;
    return NULL;
  }
  size_t needed = buffer->length + length + 1;
  if (needed > buffer->capacity) {
    size_t capacity = buffer->capacity < 128 ? 128 : buffer->capacity * 2;
    if (capacity < needed)
      capacity = needed;
    char *grown = pt_realloc(buffer->bytes, capacity);
    if (grown == NULL) {
      buffer->failed = true;
      return NULL;
    }
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  return buffer->bytes + buffer->length;
}

void pt_buffer_add(pt_buffer *buffer, const char *bytes, size_t length) {
  char *end = pt_buffer_reserve(buffer, length);
  if (end == NULL)
    return;
  if (length > 0)
    memcpy(end, bytes, length);
  end[length] = '\0';
  buffer->length += length;
}

void pt_buffer_add_text(pt_buffer *buffer, const char *text) {
  pt_buffer_add(buffer, text, strlen(text));
}

void pt_buffer_add_char(pt_buffer *buffer, char c) { pt_buffer_add(buffer, &c, 1); }

void pt_buffer_clear(pt_buffer *buffer) {
  buffer->length = 0;
  buffer->failed = false;
  if (buffer->bytes != NULL)
    buffer->bytes[0] = '\0';
}

void pt_buffer_free(pt_buffer *buffer) {
  pt_free(buffer->bytes);
  memset(buffer, 0, sizeof *buffer);
}
