/* fuzz_json_writer.c: what is written is JSON, and reads back as it was. */
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/unicode.h"
#include "check.h"

#include <math.h>
#include <string.h>

/* The one value that was written. */
static pt_json_token read_one(pt_json_reader *in, const pt_buffer *text) {
  pt_json_start(in, text->bytes, text->length, 0);
  pt_json_token token = pt_json_next(in);
  CHECK(pt_json_next(in) == PT_JSON_WHOLE);
  return token;
}

static void check_string(const char *text, size_t length) {
  pt_buffer out = {0};
  bool written = pt_json_add_string(&out, text, length);
  CHECK(written == pt_unicode_valid(text, length));
  if (written) {
    CHECK(out.length >= length + 2 && out.length <= 6 * length + 2);
    CHECK(pt_unicode_valid(out.bytes, out.length));
    pt_json_reader in;
    CHECK(read_one(&in, &out) == PT_JSON_STRING);
    char *meaning = malloc(in.string.length + 1);
    CHECK(meaning != NULL);
    CHECK(pt_json_unescape(&in.string, meaning) == length);
    CHECK(memcmp(meaning, text, length) == 0);
    free(meaning);
  } else {
    CHECK(out.length == 0);
  }
  pt_buffer_free(&out);
}

static void check_number(const uint8_t *data) {
  double value;
  memcpy(&value, data, sizeof value);
  pt_buffer out = {0};
  pt_json_reader in;
  bool written = pt_json_add_number(&out, value);
  CHECK(written == (isfinite(value) != 0));
  if (written) {
    CHECK(out.length <= 24);
    pt_json_token token = read_one(&in, &out);
    CHECK(token == PT_JSON_INTEGER || token == PT_JSON_NUMBER);
    double back = token == PT_JSON_INTEGER ? (double)in.integer : in.number;
    CHECK(back == value && signbit(back) == signbit(value));
  }
  pt_buffer_clear(&out);
  long long integer;
  memcpy(&integer, data, sizeof integer);
  pt_json_add_integer(&out, integer);
  CHECK(read_one(&in, &out) == PT_JSON_INTEGER && in.integer == integer);
  pt_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= sizeof(double))
    check_number(data);
  check_string((const char *)data, size);
  return 0;
}
