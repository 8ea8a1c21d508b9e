/* fuzz_json_reader.c: any text is whole, cut, invalid or too deep, and so are its beginnings: of a
   whole or a cut one they are whole or cut, and a wrong one is wrong from one byte on. What is read
   and written again is read as the same. */
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "check.h"

#include <math.h>
#include <string.h>

enum { DEPTH = 64, MANY = 600 };

/* A copy of its exact size, so that no byte behind it is touched unseen. */
static char *copy(const char *text, size_t length, char behind) {
  char *bytes = malloc(length + 1);
  CHECK(bytes != NULL);
  if (length > 0)
    memcpy(bytes, text, length);
  bytes[length] = behind;
  return bytes;
}

/* The offset of the first byte that is wrong, or the length of the text. */
static pt_json_token look(const char *text, size_t length, size_t depth, char behind,
                          size_t *offset) {
  pt_json_reader in;
  char *bytes = copy(text, length, behind);
  pt_json_start(&in, bytes, length, depth);
  pt_json_token token;
  do {
    token = pt_json_next(&in);
    CHECK(in.at >= bytes && in.at <= bytes + length);
    CHECK(in.depth <= depth);
  } while (token > PT_JSON_TOO_DEEP);
  CHECK(pt_json_next(&in) == token);
  CHECK(pt_json_validate(bytes, length, depth) == token);
  *offset = pt_json_offset(&in);
  CHECK(token == PT_JSON_INVALID || token == PT_JSON_TOO_DEEP ? *offset < length
                                                              : *offset == length);
  free(bytes);
  return token;
}

static void check_beginnings(const char *text, size_t length) {
  size_t end, offset;
  pt_json_token whole = look(text, length, DEPTH, '\0', &end);
  bool wrong = whole == PT_JSON_INVALID || whole == PT_JSON_TOO_DEEP;
  pt_json_token deeper = look(text, length, (size_t)DEPTH * 2, '\0', &offset);
  CHECK(whole == PT_JSON_TOO_DEEP || (deeper == whole && offset == end));
  for (size_t i = 0; i < length && length < MANY; i++) {
    pt_json_token token = look(text, i, DEPTH, '\0', &offset);
    CHECK(wrong && i > end ? token == whole && offset == end
                           : token == PT_JSON_WHOLE || token == PT_JSON_CUT);
  }
}

/* Whatever allowed byte stands behind it. */
static void check_behind(const char *text, size_t length) {
  size_t offset, other;
  pt_json_token token = look(text, length, DEPTH, '\0', &offset);
  for (const char *behind = ",]}"; *behind != '\0'; behind++)
    CHECK(look(text, length, DEPTH, *behind, &other) == token && other == offset);
}

static void write_string(pt_buffer *out, const pt_json_string *string) {
  char *meaning = malloc(string->length + 1);
  CHECK(meaning != NULL);
  size_t length = pt_json_unescape(string, meaning);
  CHECK(length <= string->length);
  CHECK(string->escaped ||
        (length == string->length && memcmp(meaning, string->bytes, length) == 0));
  if (!pt_json_add_string(out, meaning, length))
    (void)pt_json_add_string(out, "?", 1);
  free(meaning);
}

static void write_scalar(pt_buffer *out, const pt_json_reader *in, pt_json_token token) {
  static const char *const words[] = {
      [PT_JSON_NULL] = "null", [PT_JSON_FALSE] = "false", [PT_JSON_TRUE] = "true"};
  if (token == PT_JSON_STRING)
    write_string(out, &in->string);
  else if (token == PT_JSON_INTEGER)
    pt_json_add_integer(out, in->integer);
  else if (token == PT_JSON_NUMBER && !pt_json_add_number(out, in->number))
    pt_buffer_add_text(out, in->number > 0 ? "1e999" : "-1e999");
  else if (token < PT_JSON_INTEGER)
    pt_buffer_add_text(out, words[token]);
}

/* Writes the text again, without white space; false when it is not whole. */
static bool write_again(pt_buffer *out, const char *text, size_t length) {
  pt_json_reader in;
  bool objects[DEPTH] = {false};
  bool first = true;
  pt_json_start(&in, text, length, DEPTH);
  for (;;) {
    pt_json_token token = pt_json_next(&in);
    if (token <= PT_JSON_TOO_DEEP)
      return token == PT_JSON_WHOLE;
    if (token == PT_JSON_CLOSED) {
      CHECK(in.name.bytes == NULL);
      pt_buffer_add_char(out, objects[in.depth] ? '}' : ']');
      first = false;
      continue;
    }
    bool opens = token == PT_JSON_LIST || token == PT_JSON_OBJECT;
    size_t above = opens ? in.depth - 1 : in.depth;
    CHECK((in.name.bytes != NULL) == (above > 0 && objects[above - 1]));
    if (!first)
      pt_buffer_add_char(out, ',');
    if (in.name.bytes != NULL) {
      write_string(out, &in.name);
      pt_buffer_add_char(out, ':');
    }
    if (opens) {
      objects[in.depth - 1] = token == PT_JSON_OBJECT;
      pt_buffer_add_char(out, token == PT_JSON_OBJECT ? '{' : '[');
    } else {
      write_scalar(out, &in, token);
    }
    first = opens;
  }
}

static void check_round_trip(const char *text, size_t length) {
  pt_buffer once = {0}, twice = {0};
  char *bytes = copy(text, length, '\0');
  if (write_again(&once, bytes, length)) {
    CHECK(write_again(&twice, once.bytes, once.length));
    CHECK(once.length == twice.length && memcmp(once.bytes, twice.bytes, once.length) == 0);
  }
  pt_buffer_free(&once);
  pt_buffer_free(&twice);
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  check_beginnings(text, size);
  check_behind(text, size);
  check_round_trip(text, size);
  return 0;
}
