/* redactor.c: see redactor.h. */
#include "base/redactor.h"

#include "base/ascii.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/secret.h"

#include <string.h>

enum { MAX_PIECE = 32, FIRST_ROOM = 256 };

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

/* The last place at or before `at` where a character begins, in UTF-8; any place where none is
 * near. */
static size_t boundary(const char *bytes, size_t at) {
  for (size_t i = 0; i < 4 && i < at; i++)
    if (((unsigned char)bytes[at - i] & 0xc0) != 0x80)
      return at - i;
  return at;
}

/* In pieces, the last one of full length. */
static void add_plain(pt_redactor *r, const char *bytes, size_t length) {
  size_t start = 0;
  while (length - start > MAX_PIECE) {
    size_t end = boundary(bytes, start + MAX_PIECE);
    add_piece(r, bytes + start, end - start);
    start = end;
  }
  if (start > 0)
    start = boundary(bytes, length - MAX_PIECE);
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

/* What stands at one place of a text: bytes, and how many it takes there. */
typedef struct {
  char bytes[4];
  size_t count, taken;
} unit;

enum { MAX_UNITS = 4 }; /* ways to read one place */

static unit one_byte(char byte, size_t taken) {
  return (unit){.bytes = {byte}, .count = 1, .taken = taken};
}

static bool begins_with(const char *text, size_t length, const char *word) {
  size_t wanted = strlen(word);
  return length >= wanted && memcmp(text, word, wanted) == 0;
}

/* After '%': "41", or "2541", "252541" … of what was encoded more than once. False for none. */
static bool read_percent(const char *text, size_t length, unit *out) {
  size_t at = 0;
  while (length - at >= 4 && text[at] == '2' && text[at + 1] == '5' &&
         pt_is_hexadecimal(text[at + 2]) && pt_is_hexadecimal(text[at + 3]))
    at += 2;
  if (length - at < 2 || !pt_is_hexadecimal(text[at]) || !pt_is_hexadecimal(text[at + 1]))
    return false;
  int value = pt_hexadecimal_value(text[at]) * 16 + pt_hexadecimal_value(text[at + 1]);
  *out = one_byte((char)(unsigned char)value, at + 2);
  return true;
}

/* RFC 3629 */
static size_t write_utf8(char *out, uint32_t c) {
  static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t count = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = count; i-- > 1; c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)(leads[count] | c);
  return count;
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
  out->count = write_utf8(out->bytes, value);
  out->taken = at + 1;
  return true;
}

/* After '&', with "amp;" before it where it was escaped more than once. False for none.
   https://html.spec.whatwg.org/multipage/named-characters.html : those that writers use. */
static bool read_entity(const char *text, size_t length, unit *out) {
  static const struct {
    const char *name;
    char byte;
  } named[] = {{"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
  size_t at = 0;
  while (begins_with(text + at, length - at, "amp;"))
    at += 4;
  bool found = at > 0;
  *out = one_byte('&', at);
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
    if (begins_with(text + at, length - at, named[i].name)) {
      *out = one_byte(named[i].byte, at + strlen(named[i].name));
      return true;
    }
  unit numbered;
  if (at < length && text[at] == '#' && read_number(text + at + 1, length - at - 1, &numbered)) {
    *out = numbered;
    out->taken += at + 1;
    return true;
  }
  return found;
}

/* Adds what a byte begins that other text follows: an encoded one. */
static size_t add_encoded(unit *units, const unit *lead, const char *text, size_t length) {
  const char *rest = text + lead->taken;
  size_t left = length - lead->taken, count = 0;
  if (lead->count != 1)
    return 0;
  if (lead->bytes[0] == '+')
    units[count++] = one_byte(' ', 0);
  else if ((lead->bytes[0] == '%' && read_percent(rest, left, &units[0])) ||
           (lead->bytes[0] == '&' && read_entity(rest, left, &units[0])))
    count++;
  if (count > 0)
    units[0].taken += lead->taken;
  if (lead->bytes[0] == '%' && begins_with(rest, left, "25"))
    units[count++] = one_byte('%', lead->taken + 2);
  return count;
}

/* How many bytes of backslashes the text begins with, those counted that are escapes themselves. */
static size_t count_backslashes(const char *text, size_t length) {
  size_t count = 0;
  for (;;) {
    while (count < length && text[count] == '\\')
      count++;
    if (count == 0 || (!begins_with(text + count, length - count, "u005c") &&
                       !begins_with(text + count, length - count, "u005C")))
      return count;
    count += 5;
  }
}

/* The ways to read what stands at the beginning of the text; the one that decodes nothing comes
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

/* How much of the text, from its start, is a secret: the longest one; 0 when it is something else.
 * `*decode`: wherever it can be, what stands there is taken for encoded; set to whether it was. */
static size_t match(const pt_redactor *r, const char *text, size_t length, bool *decode) {
  bool decodes = *decode;
  *decode = false;
  size_t at = 0, matched = 0;
  uint32_t place = 0;
  for (;;) {
    unit units[MAX_UNITS];
    size_t count = read_units(text + at, length - at, units);
    size_t i = decodes || count == 0 ? 0 : count - 1;
    bool end = false;
    while (i < count && !follow(r, &units[i], &place, &end))
      i++;
    if (i == count)
      return matched;
    at += units[i].taken;
    *decode = *decode || i + 1 < count;
    if (end)
      matched = at;
  }
}

/* The longest secret that the text begins with, however it is written; 0 for none. */
static size_t match_any(const pt_redactor *r, const char *text, size_t length) {
  bool decoded = true, never = false;
  size_t matched = match(r, text, length, &decoded);
  size_t plain = decoded ? match(r, text, length, &never) : 0;
  return matched > plain ? matched : plain;
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
    size_t backslashes = count_backslashes(text + i, length - i);
    i += backslashes > 0 ? backslashes : 1;
  }
  overwrite(text, length, start, end);
}
