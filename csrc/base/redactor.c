/* redactor.c: see redactor.h. */
#include "base/redactor.h"

#include "base/ascii.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/unicode.h"

#include <string.h>

enum {
  MAX_PIECE = 32,
  FIRST_ROOM = 256,
  MAX_OPEN = 64,
  MAX_STEPS = 200, /* of looking for one secret */
  MAX_ESCAPED = 8  /* backslashes in a row that are escapes themselves, or bytes encoded again */
};

/* ---- the tree ---- */

static pt_redactor_edge *find_edge(const pt_redactor *r, uint32_t from, unsigned char byte) {
  uint32_t wanted = from << 8 | byte, hash = wanted * UINT32_C(2654435761);
  for (uint32_t i = hash ^ hash >> 15;; i++) {
    pt_redactor_edge *edge = &r->edges[i & (r->room - 1)];
    if (edge->to_and_end == 0 || edge->from_and_byte == wanted)
      return edge;
  }
}

static bool grow(pt_redactor *r) {
  pt_redactor old = *r;
  r->room = old.room == 0 ? FIRST_ROOM : old.room * 2;
  r->edges = pt_zalloc(r->room * sizeof *r->edges);
  if (r->edges == NULL) {
    r->edges = old.edges;
    r->room = old.room;
    return false;
  }
  for (uint32_t i = 0; i < old.room; i++) {
    const pt_redactor_edge *edge = &old.edges[i];
    if (edge->to_and_end != 0)
      *find_edge(r, edge->from_and_byte >> 8, (unsigned char)edge->from_and_byte) = *edge;
  }
  pt_wipe(old.edges, old.room * sizeof *old.edges);
  pt_free(old.edges);
  return true;
}

static void add_piece(pt_redactor *r, const char *bytes, size_t length) {
  pt_redactor_edge *edge = NULL;
  uint32_t place = 0;
  for (size_t i = 0; i < length; i++) {
    if (r->places >= r->room / 2 && (r->places >= PT_MAX_HIDDEN || !grow(r))) {
      r->failed = true;
      return;
    }
    edge = find_edge(r, place, (unsigned char)bytes[i]);
    if (edge->to_and_end == 0)
      *edge = (pt_redactor_edge){place << 8 | (unsigned char)bytes[i], ++r->places << 1};
    place = edge->to_and_end >> 1;
  }
  if (edge != NULL)
    edge->to_and_end |= 1;
  r->begins[(unsigned char)bytes[0]] = find_edge(r, 0, (unsigned char)bytes[0])->to_and_end >> 1;
}

/* In pieces, the last one of full length. */
static void add_plain(pt_redactor *r, const char *bytes, size_t length) {
  size_t start = 0;
  while (length - start > MAX_PIECE) {
    size_t end = pt_unicode_boundary(bytes, length, start + MAX_PIECE);
    add_piece(r, bytes + start, end - start);
    start = end;
  }
  if (start > 0)
    start = pt_unicode_boundary(bytes, length, length - MAX_PIECE);
  add_piece(r, bytes + start, length - start);
}

void pt_redactor_add(pt_redactor *r, const char *bytes, size_t length) {
  if (r->failed || length < PT_MIN_HIDDEN)
    return;
  if (memchr(bytes, '\\', length) == NULL) {
    add_plain(r, bytes, length);
    return;
  }
  char *plain = pt_malloc(length);
  if (plain == NULL) {
    r->failed = true;
    return;
  }
  size_t left = 0;
  for (size_t i = 0; i < length; i++)
    if (bytes[i] != '\\')
      plain[left++] = bytes[i];
  if (left >= PT_MIN_HIDDEN)
    add_plain(r, plain, left);
  pt_wipe(plain, length);
  pt_free(plain);
}

void pt_redactor_free(pt_redactor *r) {
  pt_wipe(r->edges, r->room * sizeof *r->edges);
  pt_free(r->edges);
  *r = (pt_redactor){0};
}

/* ---- what a text may mean ---- */

/* What is at one place of a text: bytes, and how many it takes there. */
typedef struct {
  char bytes[4];
  size_t count, taken;
} unit;

enum { MAX_UNITS = 2 * MAX_ESCAPED + 6 }; /* ways to read one place */

static unit one_byte(char byte, size_t taken) {
  return (unit){.bytes = {byte}, .count = 1, .taken = taken};
}

static bool begins_with(const char *text, size_t length, const char *word) {
  size_t wanted = strlen(word);
  return length >= wanted && memcmp(text, word, wanted) == 0;
}

/* How often `again` is at the beginning of the text: what was encoded is encoded once more. */
static size_t count_again(const char *text, size_t length, const char *again) {
  size_t count = 0, size = strlen(again);
  while (count < MAX_ESCAPED && begins_with(text + count * size, length - count * size, again))
    count++;
  return count;
}

/* Two hexadecimal digits. False for none. */
static bool read_hexadecimal(const char *text, size_t length, unit *out) {
  if (length < 2 || !pt_is_hexadecimal(text[0]) || !pt_is_hexadecimal(text[1]))
    return false;
  int value = pt_hexadecimal_value(text[0]) * 16 + pt_hexadecimal_value(text[1]);
  *out = one_byte((char)(unsigned char)value, 2);
  return true;
}

/* After "&#": "39;" or "x27;". False for none. */
static bool read_number(const char *text, size_t length, unit *out) {
  bool hexadecimal = length > 0 && (text[0] == 'x' || text[0] == 'X');
  size_t at = hexadecimal, first = at;
  uint32_t value = 0;
  for (; at < length && at - first < 7; at++) {
    int digit = pt_hexadecimal_value(text[at]);
    if (digit < 0 || (!hexadecimal && digit > 9))
      break;
    value = value * (hexadecimal ? 16 : 10) + (uint32_t)digit;
  }
  if (at == first || at >= length || text[at] != ';' || value > 0x10ffff)
    return false;
  out->count = pt_unicode_write(out->bytes, value);
  out->taken = at + 1;
  return true;
}

/* After '&': "lt;" or the like. False for none.
   https://html.spec.whatwg.org/multipage/named-characters.html : those that writers use. */
static bool read_entity(const char *text, size_t length, unit *out) {
  static const struct {
    const char *name;
    char byte;
  } named[] = {{"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
    if (begins_with(text, length, named[i].name)) {
      *out = one_byte(named[i].byte, strlen(named[i].name));
      return true;
    }
  if (length == 0 || text[0] != '#' || !read_number(text + 1, length - 1, out))
    return false;
  out->taken++;
  return true;
}

/* Adds what a '%' or a '&' begins: "%41", and "%2541" of what was encoded twice, and so on; of
 * "%25" and "&amp;" it is never sure how often. */
static size_t add_nested(unit *units, size_t taken, const char *text, size_t length, char sign) {
  const char *again = sign == '%' ? "25" : "amp;";
  size_t count = 0, size = strlen(again);
  for (size_t i = count_again(text, length, again) + 1; i-- > 0;) {
    const char *rest = text + i * size;
    size_t left = length - i * size;
    if (sign == '%' ? read_hexadecimal(rest, left, &units[count])
                    : read_entity(rest, left, &units[count]))
      units[count++].taken += taken + i * size;
    if (i > 0 && sign == '&')
      units[count++] = one_byte('&', taken + i * size);
  }
  return count;
}

/* Adds what a byte begins that other text follows: an encoded one. */
static size_t add_encoded(unit *units, const unit *lead, const char *text, size_t length) {
  char sign = lead->count == 1 ? lead->bytes[0] : '\0';
  if (sign == '%' || sign == '&')
    return add_nested(units, lead->taken, text + lead->taken, length - lead->taken, sign);
  if (sign != '+')
    return 0;
  units[0] = one_byte(' ', lead->taken);
  return 1;
}

static size_t count_char(const char *text, size_t length, char c) {
  size_t count = 0;
  while (count < length && text[count] == c)
    count++;
  return count;
}

/* How many bytes of backslashes the text begins with; some of them may be written as escapes. */
static size_t count_backslashes(const char *text, size_t length) {
  size_t count = count_char(text, length, '\\');
  for (int i = 0; i < MAX_ESCAPED && count > 0; i++) {
    if (!begins_with(text + count, length - count, "u005c") &&
        !begins_with(text + count, length - count, "u005C"))
      break;
    count += 5;
    count += count_char(text + count, length - count, '\\');
  }
  return count;
}

/* The ways to read what is at the beginning of the text; the one that decodes nothing comes
 * last. Backslashes before it are taken with it. */
static size_t read_units(const char *text, size_t length, unit units[MAX_UNITS]) {
  size_t backslashes = count_backslashes(text, length);
  if (backslashes == length)
    return 0;
  unit plain = one_byte(text[backslashes], backslashes + 1), escaped = plain;
  if (backslashes > 0) {
    size_t taken = pt_json_read_escape(text + backslashes, length - backslashes, escaped.bytes,
                                       &escaped.count);
    escaped.taken = backslashes + taken;
    if (taken == 0 || escaped.count == 0)
      escaped = plain;
  }
  size_t count = add_encoded(units, &escaped, text, length);
  if (escaped.taken != plain.taken || escaped.bytes[0] != plain.bytes[0])
    units[count++] = escaped;
  units[count++] = plain;
  return count;
}

/* ---- finding ---- */

/* From `place` by the bytes of a unit. False when no secret goes on so. */
static bool follow(const pt_redactor *r, const unit *step, uint32_t *place, bool *end) {
  uint32_t at = *place;
  for (size_t i = 0; i < step->count; i++) {
    const pt_redactor_edge *edge = find_edge(r, at, (unsigned char)step->bytes[i]);
    if (edge->to_and_end == 0)
      return false;
    at = edge->to_and_end >> 1;
    *end = (edge->to_and_end & 1) != 0;
  }
  *place = at;
  return true;
}

/* How much of the text, from its start, is a secret as it is: the longest one; 0 when it is
 * something else. */
static size_t match_plain(const pt_redactor *r, const char *text, size_t length) {
  size_t at = 0, matched = 0;
  uint32_t place = 0;
  for (;;) {
    size_t next = at + count_backslashes(text + at, length - at);
    bool end = false;
    if (next >= length || !follow(r, &(unit){.bytes = {text[next]}, .count = 1}, &place, &end))
      return matched;
    at = next + 1;
    if (end)
      matched = at;
  }
}

/* Where a secret may go on, and from which place of it. */
typedef struct {
  size_t at;
  uint32_t place;
} fork_point;

/* The same where it may be encoded; every way to read the text is tried, within bounds. */
static size_t match_encoded(const pt_redactor *r, const char *text, size_t length) {
  fork_point open[MAX_OPEN] = {{0, 0}};
  size_t count = 1, matched = 0;
  for (int steps = 0; count > 0 && steps < MAX_STEPS; steps++) {
    fork_point from = open[--count];
    unit units[MAX_UNITS];
    for (size_t i = read_units(text + from.at, length - from.at, units); i-- > 0;) {
      uint32_t place = from.place;
      bool end = false;
      if (!follow(r, &units[i], &place, &end))
        continue;
      size_t at = from.at + units[i].taken;
      if (end && at > matched)
        matched = at;
      if (count < MAX_OPEN)
        open[count++] = (fork_point){at, place};
    }
  }
  return matched;
}

/* The longest secret that the text begins with, however it is written; 0 for none. */
static size_t match_any(const pt_redactor *r, const char *text, size_t length) {
  size_t encoded = match_encoded(r, text, length), plain = match_plain(r, text, length);
  return encoded > plain ? encoded : plain;
}

static bool may_be_encoded(char c) { return c == '\\' || c == '%' || c == '&' || c == '+'; }

/* A quick look: whether a secret may begin at the start of the text. */
static bool may_begin(const pt_redactor *r, const char *text, size_t length) {
  if (may_be_encoded(text[0]))
    return true;
  uint32_t place = r->begins[(unsigned char)text[0]];
  return place != 0 && length > 1 &&
         (may_be_encoded(text[1]) || find_edge(r, place, (unsigned char)text[1])->to_and_end != 0);
}

static bool is_number_char(char c) {
  return pt_is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Whether these bytes are a number that stands for itself, as in JSON. */
static bool is_number(const char *text, size_t length, size_t start, size_t end) {
  for (size_t i = start; i < end; i++)
    if (!is_number_char(text[i]))
      return false;
  return (start == 0 || strchr(":,[ \t\r\n", text[start - 1]) != NULL) &&
         (end == length || strchr(",]} \t\r\n", text[end]) != NULL);
}

static void overwrite(char *text, size_t length, size_t start, size_t end) {
  if (start == end)
    return;
  bool number = is_number(text, length, start, end);
  memset(text + start, number ? ' ' : '*', end - start);
  if (number)
    text[start] = '0';
}

void pt_redactor_hide(const pt_redactor *r, char *text, size_t length) {
  if (r->failed && text != NULL)
    memset(text, '*', length);
  if (r->failed || text == NULL || r->places == 0)
    return;
  size_t start = 0, end = 0; /* what is to be hidden next: another secret may begin within it */
  for (size_t i = 0; i < length;) {
    if (!may_begin(r, text + i, length - i)) {
      i++;
      continue;
    }
    size_t matched = match_any(r, text + i, length - i);
    if (matched > 0 && i > end) {
      overwrite(text, length, start, end);
      start = i;
    }
    if (matched > 0 && i + matched > end)
      end = i + matched;
    size_t backslashes = count_char(text + i, length - i, '\\');
    i += backslashes > 0 ? backslashes : 1;
  }
  overwrite(text, length, start, end);
}
