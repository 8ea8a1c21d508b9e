/* fuzz_envelope.c: the first look at a reply. What it says of a text that is JSON is so. */
#include "api/envelope.h"
#include "base/json_reader.h"
#include "check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  pt_buffer text = {0};
  pt_buffer_add(&text, (const char *)data, size);
  pt_envelope first = pt_envelope_look(&text), second = pt_envelope_look(&text);
  CHECK(first.top == second.top && first.data == second.data);
  CHECK(first.top == '{' || first.data == '\0');
  if (pt_json_look(text.bytes, text.length, 100) == PT_JSON_WHOLE) {
    CHECK(first.top != '\0' && strchr("{[\"ntf-0123456789", first.top) != NULL);
    CHECK(first.data == '\0' || strchr("{[\"ntf-0123456789", first.data) != NULL);
  }
  pt_buffer_free(&text);
  return 0;
}
