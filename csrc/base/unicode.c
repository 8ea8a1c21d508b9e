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

/* Length of the valid sequence of two to four bytes at the start, or 0 (RFC 3629 section 4). */
static size_t sequence_length(const unsigned char *bytes, size_t length) {
  unsigned char first = bytes[0];
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  size_t wanted;
  if (first >= 0xc2 && first <= 0xdf)
    wanted = 2;
  else if (first >= 0xe0 && first <= 0xef)
    wanted = 3;
  else if (first >= 0xf0 && first <= 0xf4)
    wanted = 4;
  else
    return 0;
  if (first == 0xe0)
    low = 0xa0; /* shorter forms exist below */
  else if (first == 0xed)
    high = 0x9f; /* surrogates above */
  else if (first == 0xf0)
    low = 0x90;
  else if (first == 0xf4)
    high = 0x8f; /* past U+10FFFF above */
  if (length < wanted || bytes[1] < low || bytes[1] > high)
    return 0;
  for (size_t i = 2; i < wanted; i++)
    if (bytes[i] < 0x80 || bytes[i] > 0xbf)
      return 0;
  return wanted;
}

/* Length of the run of ASCII bytes at the start, eight at a time. */
static size_t ascii_run(const unsigned char *bytes, size_t length) {
  size_t i = 0;
  for (uint64_t word; length - i >= sizeof word; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    if ((word & UINT64_C(0x8080808080808080)) != 0)
      break;
  }
  while (i < length && bytes[i] < 0x80)
    i++;
  return i;
}

bool pt_unicode_valid(const char *bytes, size_t length) {
  const unsigned char *at = (const unsigned char *)bytes;
  size_t left = length;
  for (;;) {
    size_t run = ascii_run(at, left);
    if (run == left)
      return true;
    size_t sequence = sequence_length(at + run, left - run);
    if (sequence == 0)
      return false;
    at += run + sequence;
    left -= run + sequence;
  }
}

pt_unicode_kind pt_unicode_next(const char *bytes, size_t length, size_t *i) {
  const unsigned char *at = (const unsigned char *)bytes + *i;
  size_t size = at[0] < 0x80 ? 1 : sequence_length(at, length - *i);
  if (size == 0) {
    *i += 1;
    return PT_UNICODE_INVALID;
  }
  uint32_t character = size == 1 ? at[0] : at[0] & (0xffu >> (size + 1));
  for (size_t n = 1; n < size; n++)
    character = character << 6 | (at[n] & 0x3fu);
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
