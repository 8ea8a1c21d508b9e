/* json_reader.c: see json_reader.h. */
#include "base/json_reader.h"

#include "base/ascii.h"
#include "base/unicode.h"

#include <float.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__) && !defined(PT_JSON_WORDS)
#define SCAN_BY_SSE2
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(PT_JSON_WORDS)
#define SCAN_BY_NEON
#include <arm_neon.h>
#endif

enum { START, OPENED, AFTER_VALUE, AT_END, STOPPED };

/* ---- finding the next byte that matters ---- */

static inline bool is_white(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* Ends at the latest at the byte after the text, which is not white space. */
static inline const char *skip_white(const char *at, const char *end) {
  static const char indent[] = "        ";
  if ((unsigned char)*at > ' ')
    return at;
  for (; is_white(*at); at++)
    while (end - at > 8 && memcmp(at + 1, indent, 8) == 0)
      at += 8;
  return at;
}

/* Whether a byte of a string is not simply itself: a quote, a backslash or a control. */
static inline bool is_special(char c) { return c == '"' || c == '\\' || (unsigned char)c < ' '; }

#if defined(SCAN_BY_SSE2)

/* Goes past bytes that are themselves, sixteen at a time. */
static inline const char *skip_plain(const char *at, const char *end) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    __m128i bytes;
    memcpy(&bytes, at, sizeof bytes);
    __m128i special =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
    int found = _mm_movemask_epi8(special);
    if (found != 0)
      return at + __builtin_ctz((unsigned)found);
  }
  while (at < end && !is_special(*at))
    at++;
  return at;
}

#elif defined(SCAN_BY_NEON)

/* The same, with four bits of a word for each of the sixteen. */
static inline const char *skip_plain(const char *at, const char *end) {
  const uint8x16_t quote = vdupq_n_u8('"'), backslash = vdupq_n_u8('\\'), blank = vdupq_n_u8(' ');
  for (; end - at >= 16; at += 16) {
    uint8x16_t bytes = vld1q_u8((const uint8_t *)at);
    uint8x16_t special = vorrq_u8(vorrq_u8(vceqq_u8(bytes, quote), vceqq_u8(bytes, backslash)),
                                  vcltq_u8(bytes, blank));
    uint8x8_t halves = vshrn_n_u16(vreinterpretq_u16_u8(special), 4);
    uint64_t found = vget_lane_u64(vreinterpret_u64_u8(halves), 0);
    if (found != 0)
      return at + __builtin_ctzll(found) / 4;
  }
  while (at < end && !is_special(*at))
    at++;
  return at;
}

#else

/* As below, in which byte of eight is not said. */
static inline bool has_special(uint64_t word) {
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
  uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  uint64_t found = (quote - ones) & ~quote;
  found |= (backslash - ones) & ~backslash;
  found |= (word - ones * ' ') & ~word;
  return (found & tops) != 0;
}

/* Goes past bytes that are themselves, eight at a time. */
static inline const char *skip_plain(const char *at, const char *end) {
  for (uint64_t word; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
    memcpy(&word, at, sizeof word);
    if (has_special(word))
      break;
  }
  while (at < end && !is_special(*at))
    at++;
  return at;
}

#endif

/* ---- stopping ---- */

static pt_json_token stop_as(pt_json_reader *in, const char *at, pt_json_token why) {
  in->at = at;
  in->state = STOPPED;
  return in->stop = why;
}

/* A byte that does not fit: when it is the one after the text, more of it might have. */
static pt_json_token stop(pt_json_reader *in, const char *at) {
  return stop_as(in, at, at >= in->end ? PT_JSON_CUT : PT_JSON_INVALID);
}

/* ---- strings ---- */

/* What the letter after a backslash means, or NUL when it is none. */
static char letter_meaning(char letter) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
  return found != NULL ? meanings[found - letters] : '\0';
}

/* At the byte after a backslash; returns the one after the escape, or NULL when it stopped. */
static const char *skip_escape(pt_json_reader *in, const char *at) {
  if (at < in->end && *at == 'u') {
    for (int i = 0; i < 4; i++)
      if (++at >= in->end || !pt_is_hexadecimal(*at)) {
        (void)stop(in, at);
        return NULL;
      }
    return at + 1;
  }
  if (at < in->end && letter_meaning(*at) != '\0')
    return at + 1;
  (void)stop(in, at);
  return NULL;
}

/* At the byte after the opening quote; returns the one after the closing quote, or NULL when it
 * stopped. */
static inline const char *read_string(pt_json_reader *in, const char *at, pt_json_string *string) {
  string->bytes = at;
  string->escaped = false;
  for (;;) {
    at = skip_plain(at, in->end);
    if (at < in->end && *at == '"') {
      string->length = (size_t)(at - string->bytes);
      return at + 1;
    }
    if (at >= in->end || *at != '\\') {
      (void)stop(in, at);
      return NULL;
    }
    string->escaped = true;
    at = skip_escape(in, at + 1);
    if (at == NULL)
      return NULL;
  }
}

/* The code unit of a "u" and four hexadecimal digits, or -1. */
static long code_unit(const char *bytes, size_t length) {
  long unit = 0;
  if (length < 5 || bytes[0] != 'u')
    return -1;
  for (size_t i = 1; i < 5; i++) {
    int digit = pt_hexadecimal_value(bytes[i]);
    if (digit < 0)
      return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* The character of two code units, or 0 when they are not a surrogate pair. */
static uint32_t pair_of(long high, long low) {
  if (high < 0xd800 || high > 0xdbff || low < 0xdc00 || low > 0xdfff)
    return 0;
  return 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
}

size_t pt_json_read_escape(const char *bytes, size_t length, char out[4], size_t *count) {
  *count = 0;
  char meaning = length > 0 ? letter_meaning(bytes[0]) : '\0';
  if (meaning != '\0') {
    out[0] = meaning;
    *count = 1;
    return 1;
  }
  long unit = code_unit(bytes, length);
  if (unit < 0)
    return 0;
  if (unit < 0xd800 || unit > 0xdfff) {
    *count = pt_unicode_write(out, (uint32_t)unit);
    return 5;
  }
  size_t next = 5;
  while (next < length && bytes[next] == '\\')
    next++;
  uint32_t pair = next > 5 ? pair_of(unit, code_unit(bytes + next, length - next)) : 0;
  if (pair == 0)
    return 5; /* half a pair stands for nothing */
  *count = pt_unicode_write(out, pair);
  return next + 5;
}

/* At the "u" of an escape; returns the byte after it, or after the pair that it begins. */
static const char *unescape_code(const char *at, const char *end, char **out) {
  long unit = code_unit(at, (size_t)(end - at));
  uint32_t point = (uint32_t)unit;
  at += 5;
  if (unit >= 0xd800 && unit <= 0xdfff) {
    bool follows = end - at >= 6 && at[0] == '\\';
    point = follows ? pair_of(unit, code_unit(at + 1, (size_t)(end - at) - 1)) : 0;
    at += point != 0 ? 6 : 0;
    point = point != 0 ? point : 0xfffd;
  }
  *out += pt_unicode_write(*out, point);
  return at;
}

size_t pt_json_unescape(const pt_json_string *string, char *out) {
  const char *at = string->bytes, *end = at + string->length;
  char *start = out;
  while (at < end) {
    const char *plain = at;
    at = skip_plain(at, end);
    memcpy(out, plain, (size_t)(at - plain));
    out += at - plain;
    if (at == end)
      break;
    at++; /* a backslash: nothing else special is inside a string */
    if (*at == 'u')
      at = unescape_code(at, end, &out);
    else
      *out++ = letter_meaning(*at++);
  }
  return (size_t)(out - start);
}

/* ---- numbers ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

double pt_json_double(const char *text) {
  (void)pthread_once(&once, make_locale);
  /* The "C" locale is there before any memory is asked for; where it were not, the process's is the
   * next best. */
  return c_locale != (locale_t)0 ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

/* Clinger, "How to Read Floating Point Numbers Accurately" (1990): a product or quotient of two
   exact doubles is rounded once, where the machine computes in doubles. */
static bool make_double(uint64_t mantissa, int64_t exponent, double *out) {
  static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#if FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1
  if (mantissa > UINT64_C(1) << 53 || exponent < -22 || exponent > 22)
    return false;
  *out = exponent < 0 ? (double)mantissa / power[-exponent] : (double)mantissa * power[exponent];
  return true;
#else
  (void)mantissa, (void)exponent, (void)power, (void)out;
  return false;
#endif
}

enum { MAX_DIGITS = 19 }; /* what 64 bits hold */

/* An exponent of more is past whatever places a text in memory may have before it. */
static const int64_t max_exponent = INT64_C(100000000000000000);

/* A number as it is read: its digits, the first of them not zero, and the power of ten. */
typedef struct {
  uint64_t mantissa; /* wrong when there are more than MAX_DIGITS */
  ptrdiff_t digits;
  int64_t exponent;
} decimal;

static const char *read_digits(const char *at, decimal *number) {
  const char *first = at;
  for (; pt_is_digit(*at); at++)
    number->mantissa = number->mantissa * 10 + (uint64_t)(*at - '0');
  number->digits += at - first;
  return at;
}

/* After the point; NULL when no digit follows. */
static const char *read_fraction(const char *at, decimal *number) {
  const char *first = at;
  if (number->mantissa == 0)
    while (*at == '0')
      at++;
  at = read_digits(at, number);
  number->exponent -= at - first;
  return at > first ? at : NULL;
}

/* After the "e"; `stopped` where no digit follows: then it returns where one is missing. */
static const char *read_exponent(const char *at, decimal *number, bool *stopped) {
  bool negative = *at == '-';
  int64_t value = 0;
  if (*at == '-' || *at == '+')
    at++;
  *stopped = !pt_is_digit(*at);
  for (; pt_is_digit(*at); at++)
    if (value < max_exponent)
      value = value * 10 + (*at - '0');
  number->exponent += negative ? -value : value;
  return at;
}

static pt_json_token keep_integer(pt_json_reader *in, const decimal *number, bool negative,
                                  const char *text) {
  const uint64_t limit = (uint64_t)INT64_MAX + negative;
  if (number->digits > MAX_DIGITS) {
    in->number = pt_json_double(text);
    return PT_JSON_NUMBER;
  }
  if (number->mantissa > limit || (negative && number->mantissa == 0)) {
    in->number = negative ? -(double)number->mantissa : (double)number->mantissa;
    return PT_JSON_NUMBER;
  }
  int64_t least = -(int64_t)(number->mantissa - 1) - 1; /* so that -2^63 does not overflow */
  in->integer = negative ? least : (int64_t)number->mantissa;
  return PT_JSON_INTEGER;
}

/* At a digit or a minus sign. */
static pt_json_token read_number(pt_json_reader *in, const char *at) {
  const char *text = at;
  decimal number = {0};
  bool negative = *at == '-', stopped = false;
  at += negative;
  if (*at == '0')
    at++;
  else if (!pt_is_digit(*at))
    return stop(in, at);
  else
    at = read_digits(at, &number);
  if (*at != '.' && *at != 'e' && *at != 'E') {
    in->at = at;
    return keep_integer(in, &number, negative, text);
  }
  if (*at == '.') {
    const char *after = read_fraction(at + 1, &number);
    if (after == NULL)
      return stop(in, at + 1);
    at = after;
  }
  if (*at == 'e' || *at == 'E') {
    at = read_exponent(at + 1, &number, &stopped);
    if (stopped)
      return stop(in, at);
  }
  in->at = at;
  if (number.digits <= MAX_DIGITS && make_double(number.mantissa, number.exponent, &in->number))
    in->number = negative ? -in->number : in->number;
  else
    in->number = pt_json_double(text);
  return PT_JSON_NUMBER;
}

/* ---- values ---- */

static pt_json_token read_word(pt_json_reader *in, const char *at, const char *word,
                               pt_json_token token) {
  for (; *word != '\0'; word++, at++)
    if (*at != *word)
      return stop(in, at);
  in->at = at;
  return token;
}

static pt_json_token open_container(pt_json_reader *in, const char *at, bool object) {
  if (in->depth == in->max_depth)
    return stop_as(in, at, PT_JSON_TOO_DEEP);
  unsigned char bit = (unsigned char)(1 << (in->depth % 8));
  unsigned char *byte = &in->objects[in->depth / 8];
  *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
  in->depth++;
  in->in_object = object;
  in->state = OPENED;
  in->at = at + 1;
  return object ? PT_JSON_OBJECT : PT_JSON_LIST;
}

static pt_json_token close_container(pt_json_reader *in, const char *at) {
  in->depth--;
  in->at = at + 1;
  in->state = AT_END;
  if (in->depth > 0) {
    size_t level = in->depth - 1;
    in->in_object = (in->objects[level / 8] >> (level % 8) & 1) != 0;
    in->state = AFTER_VALUE;
  }
  return PT_JSON_CLOSED;
}

static inline pt_json_token read_scalar(pt_json_reader *in, const char *at) {
  switch (*at) {
  case '"':
    at = read_string(in, at + 1, &in->string);
    if (at == NULL)
      return in->stop;
    in->at = at;
    return PT_JSON_STRING;
  case 't': return read_word(in, at, "true", PT_JSON_TRUE);
  case 'f': return read_word(in, at, "false", PT_JSON_FALSE);
  case 'n': return read_word(in, at, "null", PT_JSON_NULL);
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': return read_number(in, at);
  default: return stop(in, at);
  }
}

/* At the name of a member; returns the byte where its value may begin, or NULL when it stopped. */
static inline const char *read_name(pt_json_reader *in, const char *at) {
  if (*at != '"') {
    (void)stop(in, at);
    return NULL;
  }
  at = read_string(in, at + 1, &in->name);
  if (at == NULL)
    return NULL;
  at = skip_white(at, in->end);
  if (*at != ':') {
    (void)stop(in, at);
    return NULL;
  }
  return skip_white(at + 1, in->end);
}

void pt_json_start(pt_json_reader *in, const char *bytes, size_t length, size_t max_depth) {
  static const char mark[] = {'\xEF', '\xBB', '\xBF'};
  size_t i = 0;
  while (i < sizeof mark && i < length && bytes[i] == mark[i])
    i++;
  in->bytes = bytes;
  in->end = bytes + length;
  in->at = bytes + i;
  in->depth = 0;
  in->max_depth = max_depth < PT_JSON_DEPTH ? max_depth : PT_JSON_DEPTH;
  in->state = START;
  in->in_object = false;
  in->name.bytes = NULL;
  if (i > 0 && i < sizeof mark) /* a cut mark is a cut text */
    (void)stop(in, in->at);
}

pt_json_token pt_json_next(pt_json_reader *in) {
  if (in->state == STOPPED)
    return in->stop;
  const char *at = skip_white(in->at, in->end);
  if (in->state == AT_END)
    return at >= in->end ? stop_as(in, at, PT_JSON_WHOLE) : stop(in, at);
  in->name.bytes = NULL;
  if (in->state != START) {
    if (*at == (in->in_object ? '}' : ']'))
      return at >= in->end ? stop(in, at) : close_container(in, at);
    if (in->state == AFTER_VALUE) {
      if (*at != ',' || at >= in->end)
        return stop(in, at);
      at = skip_white(at + 1, in->end);
    }
    if (in->in_object) {
      at = read_name(in, at);
      if (at == NULL)
        return in->stop;
    }
  }
  if (*at == '{' || *at == '[')
    return open_container(in, at, *at == '{');
  in->state = in->depth > 0 ? AFTER_VALUE : AT_END;
  return read_scalar(in, at);
}

char pt_json_peek(const pt_json_reader *in) {
  const char *at = skip_white(in->at, in->end);
  return at < in->end ? *at : '\0';
}

size_t pt_json_offset(const pt_json_reader *in) { return (size_t)(in->at - in->bytes); }

pt_json_token pt_json_validate(const char *bytes, size_t length, size_t max_depth) {
  pt_json_reader in;
  pt_json_start(&in, bytes, length, max_depth);
  pt_json_token token;
  do
    token = pt_json_next(&in);
  while (token > PT_JSON_TOO_DEEP);
  return token;
}
