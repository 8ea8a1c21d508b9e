/* fuzz_headers.c: replies' header lines. Every view lies inside the lines, in order, and is a
 * header in its own right. */
#include "api/credential.h"
#include "base/ascii.h"
#include "http/headers.h"
#include "check.h"

#include <string.h>

static bool inside(const pt_buffer *lines, const char *bytes, size_t length) {
  return bytes >= lines->bytes && length <= lines->length &&
         bytes + length <= lines->bytes + lines->length;
}

static void check_header(const pt_buffer *lines, const pt_header *header) {
  CHECK(inside(lines, header->name, header->name_length));
  CHECK(inside(lines, header->value, header->value_length));
  CHECK(header->name + header->name_length < header->value);
  CHECK(header->name_length > 256 || pt_header_name_valid(header->name, header->name_length));
  CHECK(header->value_length == 0 || !pt_is_header_space(header->value[0]));
  CHECK(header->value_length == 0 || !pt_is_header_space(header->value[header->value_length - 1]));
  /* A line end inside a value is followed by white space: else the value would hold a header. */
  for (size_t i = 0; i < header->value_length; i++)
    CHECK(header->value[i] != '\n' || header->value[i + 1] == ' ' || header->value[i + 1] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  pt_buffer lines = {0};
  pt_buffer_add(&lines, (const char *)data, size);
  pt_header header;
  pt_header found;
  char name[257];
  size_t last = 0;
  for (size_t next = 0; pt_headers_next(&lines, &next, &header); last = next) {
    CHECK(next > last && next <= lines.length);
    check_header(&lines, &header);
    if (header.name_length >= sizeof name)
      continue;
    memcpy(name, header.name, header.name_length);
    name[header.name_length] = '\0';
    CHECK(pt_headers_find(&lines, name, &found) && found.name <= header.name);
  }
  (void)pt_header_reserved((const char *)data, size);
  CHECK(!pt_idempotency_key_valid((const char *)data, size) ||
        pt_header_value_valid((const char *)data, size));
  pt_buffer_free(&lines);
  return 0;
}
