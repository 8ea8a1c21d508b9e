/* envelope.c: see envelope.h. */
#include "api/envelope.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static size_t skip_blank(const pt_buffer *body, size_t i) {
  while (i < body->length && is_blank(body->bytes[i]))
    i++;
  return i;
}

/* From the opening quote to behind the closing one. */
static size_t skip_string(const pt_buffer *body, size_t i) {
  for (i++; i < body->length && body->bytes[i] != '"'; i++)
    if (body->bytes[i] == '\\')
      i++;
  return i < body->length ? i + 1 : body->length;
}

/* Behind the value that begins at i: at the comma or bracket that follows it. */
static size_t skip_value(const pt_buffer *body, size_t i) {
  size_t depth = 0;
  while (i < body->length) {
    char c = body->bytes[i];
    if (c == '"') {
      i = skip_string(body, i);
      continue;
    }
    if (c == '{' || c == '[')
      depth++;
    else if ((c == '}' || c == ']' || c == ',') && depth == 0)
      break;
    else if (c == '}' || c == ']')
      depth--;
    i++;
  }
  return i;
}

static char data_of(const pt_buffer *body, size_t i) {
  for (;;) {
    i = skip_blank(body, i);
    if (i >= body->length || body->bytes[i] != '"')
      return '\0';
    size_t name = i;
    i = skip_string(body, i);
    bool is_data = i - name == 6 && memcmp(body->bytes + name, "\"data\"", 6) == 0;
    i = skip_blank(body, i);
    if (i >= body->length || body->bytes[i] != ':')
      return '\0';
    i = skip_blank(body, i + 1);
    if (is_data)
      return i < body->length ? body->bytes[i] : '\0';
    i = skip_value(body, i);
    if (i >= body->length || body->bytes[i] != ',')
      return '\0';
    i++;
  }
}

pt_envelope pt_envelope_look(const pt_buffer *body) {
  pt_envelope envelope = {'\0', '\0'};
  size_t i = body->length >= 3 && memcmp(body->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  i = skip_blank(body, i);
  if (i < body->length)
    envelope.top = body->bytes[i];
  if (envelope.top == '{')
    envelope.data = data_of(body, i + 1);
  return envelope;
}
