/* fuzz_json.c: looking over JSON text, writing strings and numbers. What is written is whole; what
   is cut has no whole beginning and is not made invalid by being cut further. */
#include "base/json_text.h"
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH ((size_t)64)

static void check_look(const char *text, size_t length) {
  pt_json_shape shape = pt_json_look(text, length, DEPTH);
  CHECK(shape == pt_json_look(text, length, DEPTH));
  pt_json_shape deeper = pt_json_look(text, length, DEPTH * 2);
  CHECK(shape == PT_JSON_TOO_DEEP || deeper == shape);
  if (length == 0)
    return;
  pt_json_shape shorter = pt_json_look(text, length - 1, DEPTH);
  if (shape == PT_JSON_WHOLE || shape == PT_JSON_CUT)
    CHECK(shorter == PT_JSON_WHOLE || shorter == PT_JSON_CUT);
  if (shorter == PT_JSON_INVALID || shorter == PT_JSON_TOO_DEEP)
    CHECK(shape == shorter);
}

/* A whole text is whole in brackets too. */
static void check_nested(const char *text, size_t length) {
  pt_buffer out = {0};
  if (pt_json_look(text, length, DEPTH) == PT_JSON_WHOLE) {
    pt_buffer_add_text(&out, "[{\"a\":");
    pt_buffer_add(&out, text, length);
    pt_buffer_add_text(&out, "}]");
    CHECK(pt_json_look(out.bytes, out.length, DEPTH + 2) == PT_JSON_WHOLE);
    CHECK(pt_json_look(out.bytes, out.length - 1, DEPTH + 2) == PT_JSON_CUT);
  }
  pt_buffer_free(&out);
}

static void check_string(const char *text, size_t length) {
  pt_buffer out = {0};
  bool written = pt_json_add_string(&out, text, length);
  CHECK(written == pt_utf8_valid(text, length));
  if (written) {
    CHECK(out.length >= length + 2 && out.length <= 6 * length + 2);
    CHECK(pt_json_look(out.bytes, out.length, 0) == PT_JSON_WHOLE);
    CHECK(pt_json_look(out.bytes, out.length - 1, 0) == PT_JSON_CUT);
    CHECK(pt_utf8_valid(out.bytes, out.length));
    for (size_t i = 0; i < out.length; i++)
      CHECK((unsigned char)out.bytes[i] >= 0x20);
  } else {
    CHECK(out.length == 0);
  }
  pt_buffer_free(&out);
}

static void check_number(const uint8_t *data) {
  double value;
  memcpy(&value, data, sizeof value);
  pt_buffer out = {0};
  bool written = pt_json_add_number(&out, value);
  CHECK(written == (isfinite(value) != 0));
  if (written) {
    CHECK(out.length <= 24);
    CHECK(pt_json_look(out.bytes, out.length, 0) == PT_JSON_WHOLE);
    double back = strtod(out.bytes, NULL);
    CHECK(back == value && signbit(back) == signbit(value));
  }
  pt_buffer_clear(&out);
  long long integer;
  memcpy(&integer, data, sizeof integer);
  pt_json_add_integer(&out, integer);
  CHECK(strtoll(out.bytes, NULL, 10) == integer);
  pt_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  check_look(text, size);
  check_nested(text, size);
  check_string(text, size);
  if (size >= sizeof(double))
    check_number(data);
  return 0;
}
