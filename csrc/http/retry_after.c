/* retry_after.c: see retry_after.h. */
#include "http/retry_after.h"

#include "base/ascii.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MALFORMED (-1.0)
#define MAX_EXACT 9007199254740992.0 /* 2^53: above it a double skips whole numbers */
#define DAY 86400.0                  /* seconds */

/* What is left to read. */
typedef struct {
  const char *at;
  const char *end;
} reader;

/* Takes `text`, compared without case, or nothing. */
static bool take_text(reader *in, const char *text) {
  size_t length = strlen(text);
  if ((size_t)(in->end - in->at) < length || !pt_ascii_same(in->at, text, length))
    return false;
  in->at += length;
  return true;
}

/* Takes exactly `digits` digits. */
static bool take_number(reader *in, int digits, int *number) {
  int value = 0;
  for (int i = 0; i < digits; i++) {
    if (in->at == in->end || !pt_is_digit(*in->at))
      return false;
    value = value * 10 + (*in->at++ - '0');
  }
  *number = value;
  return true;
}

/* Takes one of `names` and gives its index. */
static bool take_name(reader *in, const char *const *names, int count, int *index) {
  for (int i = 0; i < count; i++)
    if (take_text(in, names[i])) {
      *index = i;
      return true;
    }
  return false;
}

/* ---- dates ---- */

typedef struct {
  int year;
  int month; /* 0 to 11 */
  int day;   /* 1 to 31 */
  int hour;
  int minute;
  int second; /* 60 in a leap second */
} date;

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const long_days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday"};

static bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static bool date_possible(const date *d) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int length = lengths[d->month] + (d->month == 1 && is_leap(d->year) ? 1 : 0);
  return d->day >= 1 && d->day <= length && d->hour <= 23 && d->minute <= 59 && d->second <= 60;
}

/* Leap years from year 1 to `year`. */
static int leap_years(int year) { return year / 4 - year / 100 + year / 400; }

/* Seconds since the epoch of a possible date; the Gregorian calendar is taken to hold for every
 * year. */
static double date_seconds(const date *d) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  int day = 365 * (d->year - 1970) + leap_years(d->year - 1) - leap_years(1969);
  day += before[d->month] + (d->month > 1 && is_leap(d->year) ? 1 : 0) + d->day - 1;
  return day * DAY + d->hour * 3600.0 + d->minute * 60.0 + d->second;
}

/* The year `now` falls in, from 1970 to 9999. */
static int year_of(double now) {
  int year = 1970;
  date next = {year + 1, 0, 1, 0, 0, 0};
  while (next.year < 10000 && date_seconds(&next) <= now)
    next.year++;
  return next.year - 1;
}

static bool take_time(reader *in, date *d) {
  return take_number(in, 2, &d->hour) && take_text(in, ":") && take_number(in, 2, &d->minute) &&
         take_text(in, ":") && take_number(in, 2, &d->second);
}

/* Wed, 21 Oct 2015 07:28:00 GMT */
static bool take_imf_date(reader *in, date *d) {
  int name;
  return take_name(in, days, 7, &name) && take_text(in, ", ") && take_number(in, 2, &d->day) &&
         take_text(in, " ") && take_name(in, months, 12, &d->month) && take_text(in, " ") &&
         take_number(in, 4, &d->year) && take_text(in, " ") && take_time(in, d) &&
         take_text(in, " gmt");
}

/* Wednesday, 21-Oct-15 07:28:00 GMT. The year is the one nearest to now that ends so: at most 50
 * years ahead. */
static bool take_rfc850_date(reader *in, date *d, double now) {
  int name;
  if (!(take_name(in, long_days, 7, &name) && take_text(in, ", ") && take_number(in, 2, &d->day) &&
        take_text(in, "-") && take_name(in, months, 12, &d->month) && take_text(in, "-") &&
        take_number(in, 2, &d->year) && take_text(in, " ") && take_time(in, d) &&
        take_text(in, " gmt")))
    return false;
  int this_year = year_of(now);
  d->year += this_year - this_year % 100;
  if (d->year > this_year + 50)
    d->year -= 100;
  else if (d->year <= this_year - 50)
    d->year += 100;
  return true;
}

/* Wed Oct 21 07:28:00 2015, the day padded with a space */
static bool take_asctime_date(reader *in, date *d) {
  int name;
  if (!(take_name(in, days, 7, &name) && take_text(in, " ") &&
        take_name(in, months, 12, &d->month) && take_text(in, " ")))
    return false;
  bool padded = take_text(in, " ");
  return take_number(in, padded ? 1 : 2, &d->day) && take_text(in, " ") && take_time(in, d) &&
         take_text(in, " ") && take_number(in, 4, &d->year);
}

static double parse_date(const reader *whole, double now) {
  date d = {0, 0, 0, 0, 0, 0};
  reader in = *whole;
  bool taken = take_imf_date(&in, &d);
  if (!taken) {
    in = *whole;
    taken = take_rfc850_date(&in, &d, now);
  }
  if (!taken) {
    in = *whole;
    taken = take_asctime_date(&in, &d);
  }
  if (!taken || in.at != in.end || !date_possible(&d))
    return MALFORMED;
  double wait = date_seconds(&d) - now;
  return wait > 0 ? wait : 0;
}

/* ---- seconds ---- */

static double parse_seconds(const reader *whole) {
  reader in = *whole;
  double seconds = 0;
  for (; in.at < in.end && pt_is_digit(*in.at); in.at++)
    seconds = fmin(seconds * 10 + (*in.at - '0'), MAX_EXACT);
  if (in.at < in.end && *in.at == '.') {
    const char *first = ++in.at;
    double place = 1;
    for (; in.at < in.end && pt_is_digit(*in.at); in.at++) {
      place /= 10;
      seconds += place * (*in.at - '0');
    }
    if (in.at == first)
      return MALFORMED;
  }
  return in.at == in.end ? seconds : MALFORMED;
}

double pt_retry_after_parse(const char *value, size_t length, double now) {
  if (length == 0)
    return MALFORMED;
  reader in = {value, value + length};
  while (in.at < in.end && pt_is_header_space(*in.at))
    in.at++;
  while (in.end > in.at && pt_is_header_space(in.end[-1]))
    in.end--;
  if (in.at == in.end)
    return MALFORMED;
  return pt_is_digit(*in.at) ? parse_seconds(&in) : parse_date(&in, now);
}
