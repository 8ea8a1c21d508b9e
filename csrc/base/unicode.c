/* unicode.c: see unicode.h. */
#include "base/unicode.h"

#include <string.h>

/* Ranges of characters of one kind, in ascending order (Unicode 15: categories Zs, Zl, Zp and Cf,
 * and what has no width of its own: variation selectors and Hangul fillers). */
static const struct {
  uint32_t first, last;
  pt_unicode_kind kind;
} ranges[] = {
    {0x00, 0x08, PT_UNICODE_CONTROL},         {0x09, 0x09, PT_UNICODE_BLANK},
    {0x0a, 0x1f, PT_UNICODE_CONTROL},         {0x20, 0x20, PT_UNICODE_BLANK},
    {0x7f, 0x9f, PT_UNICODE_CONTROL},         {0xa0, 0xa0, PT_UNICODE_BLANK},
    {0xad, 0xad, PT_UNICODE_INVISIBLE},       {0x34f, 0x34f, PT_UNICODE_INVISIBLE},
    {0x61c, 0x61c, PT_UNICODE_INVISIBLE},     {0x115f, 0x1160, PT_UNICODE_INVISIBLE},
    {0x1680, 0x1680, PT_UNICODE_BLANK},       {0x17b4, 0x17b5, PT_UNICODE_INVISIBLE},
    {0x180b, 0x180f, PT_UNICODE_INVISIBLE},   {0x2000, 0x200a, PT_UNICODE_BLANK},
    {0x200b, 0x200f, PT_UNICODE_INVISIBLE},   {0x2028, 0x2029, PT_UNICODE_CONTROL},
    {0x202a, 0x202e, PT_UNICODE_INVISIBLE},   {0x202f, 0x202f, PT_UNICODE_BLANK},
    {0x205f, 0x205f, PT_UNICODE_BLANK},       {0x2060, 0x206f, PT_UNICODE_INVISIBLE},
    {0x3000, 0x3000, PT_UNICODE_BLANK},       {0x3164, 0x3164, PT_UNICODE_INVISIBLE},
    {0xfe00, 0xfe0f, PT_UNICODE_INVISIBLE},   {0xfeff, 0xfeff, PT_UNICODE_INVISIBLE},
    {0xffa0, 0xffa0, PT_UNICODE_INVISIBLE},   {0xfff9, 0xfffb, PT_UNICODE_INVISIBLE},
    {0xe0000, 0xe0fff, PT_UNICODE_INVISIBLE},
};
enum { RANGES = sizeof ranges / sizeof ranges[0] };

static pt_unicode_kind kind_of(uint32_t character) {
  size_t low = 0, high = RANGES;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (character > ranges[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < RANGES && character >= ranges[low].first ? ranges[low].kind : PT_UNICODE_VISIBLE;
}

/* Bytes of the character that a lead byte begins, 0 for a byte that begins none; `*least` is the
 * smallest character of that length. */
static size_t length_of(unsigned char lead, uint32_t *character, uint32_t *least) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead >= 0xf8)
    length = 0;
  *character = length <= 1 ? lead : lead & (0xffu >> (length + 1));
  *least = smallest[length];
  return length;
}

pt_unicode_kind pt_unicode_next(const char *bytes, size_t length, size_t *i) {
  const unsigned char *at = (const unsigned char *)bytes + *i;
  uint32_t character, least;
  size_t size = length_of(at[0], &character, &least);
  bool whole = size > 0 && size <= length - *i;
  for (size_t n = 1; whole && n < size; n++) {
    whole = (at[n] & 0xc0) == 0x80;
    character = character << 6 | (at[n] & 0x3fu);
  }
  bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (!whole || character < least || character > 0x10ffff || surrogate) {
    *i += 1;
    return PT_UNICODE_INVALID;
  }
  *i += size;
  return kind_of(character);
}

size_t pt_unicode_write(char out[4], uint32_t character) {
  static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t count = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (size_t i = count - 1; i > 0; i--, character >>= 6)
    out[i] = (char)(0x80 | (character & 0x3f));
  out[0] = (char)(leads[count] | character);
  return count;
}

size_t pt_unicode_boundary(const char *bytes, size_t length, size_t at) {
  for (size_t i = 0; i < 4 && i < at && at < length; i++)
    if (((unsigned char)bytes[at - i] & 0xc0) != 0x80)
      return at - i;
  return at;
}

size_t pt_unicode_fit_line(char *bytes, size_t length) {
  size_t out = 0;
  for (size_t i = 0; i < length;) {
    size_t start = i;
    switch (pt_unicode_next(bytes, length, &i)) {
    case PT_UNICODE_VISIBLE:
      memmove(bytes + out, bytes + start, i - start);
      out += i - start;
      break;
    case PT_UNICODE_BLANK:
    case PT_UNICODE_CONTROL: bytes[out++] = ' '; break;
    case PT_UNICODE_INVALID: bytes[out++] = '?'; break;
    case PT_UNICODE_INVISIBLE: break;
    }
  }
  return out;
}
