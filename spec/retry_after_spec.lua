-- The Retry-After header (csrc/http/retry_after.c).

local core = require "polytomic.testing"

local NOW = 1445412480 -- Wed, 21 Oct 2015 07:28:00 GMT
local MALFORMED = -1

local function reads(title, value, expected, now)
  local means = expected == MALFORMED and "ignored" or expected .. " s"
  it("I: " .. title .. " is " .. means, function()
    local seconds = core.retry_after(value, now or NOW)
    assert.equal(expected, seconds)
    assert.is_true(seconds == MALFORMED or seconds >= 0 and seconds < math.huge)
  end)
end

describe("Retry-After in seconds:", function()
  reads("'0'", "0", 0)
  reads("'-10'", "-10", MALFORMED)
  reads("'20'", "20", 20)
  reads("'60'", "60", 60)
  reads("'61'", "61", 61)
  reads("'120'", "120", 120)
  reads("'1.5'", "1.5", 1.5)
  reads("'1e9'", "1e9", MALFORMED)
  reads("'99999999999999999999'", "99999999999999999999", 9007199254740992)
  reads("'9007199254740992'", "9007199254740992", 9007199254740992)
  reads("'9007199254740993'", "9007199254740993", 9007199254740992)
  reads("'9007199254740994'", "9007199254740994", 9007199254740992)
  reads("a hundred thousand nines", ("9"):rep(100000), 9007199254740992)
  reads("'inf'", "inf", MALFORMED)
  reads("'Infinity'", "Infinity", MALFORMED)
  reads("'nan'", "nan", MALFORMED)
  reads("the empty value", "", MALFORMED)
  reads("white space", " \t ", MALFORMED)
  reads("junk", "soon", MALFORMED)
  reads("' 5 '", " 5 ", 5)
  reads("'5, 10'", "5, 10", MALFORMED)
  reads("'5 10'", "5 10", MALFORMED)
  reads("'+5'", "+5", MALFORMED)
  reads("'5s'", "5s", MALFORMED)
  reads("'0x10'", "0x10", MALFORMED)
  reads("'5.'", "5.", MALFORMED)
  reads("'.5'", ".5", MALFORMED)
  reads("'1.5.5'", "1.5.5", MALFORMED)
  reads("'1,5'", "1,5", MALFORMED)
  reads("'007'", "007", 7)
  reads("NUL behind digits", "5\0", MALFORMED)
  reads("NUL alone", "\0", MALFORMED)
  reads("bytes above 127", "\255\254", MALFORMED)

  it("I: of two headers the first counts", function()
    local header = core.header_find("Retry-After: 5\r\nRetry-After: 10\r\n", "retry-after")
    assert.equal(5, core.retry_after(header.value, NOW))
  end)

  it("I: any number of decimals stays finite", function()
    local seconds = core.retry_after("0." .. ("9"):rep(100000), NOW)
    assert.is_true(seconds > 0.99 and seconds <= 1)
  end)
end)

describe("Retry-After as a date:", function()
  reads("the present second", "Wed, 21 Oct 2015 07:28:00 GMT", 0)
  reads("a minute from now", "Wed, 21 Oct 2015 07:29:00 GMT", 60)
  reads("the past", "Tue, 20 Oct 2015 07:28:00 GMT", 0)
  reads("the distant past", "Thu, 01 Jan 1970 00:00:00 GMT", 0)
  reads("the year 0001", "Mon, 01 Jan 0001 00:00:00 GMT", 0)
  reads("the epoch, seen from before it", "Thu, 01 Jan 1970 00:00:00 GMT", 100, -100)
  reads("a day from now over the end of a month", "Thu, 22 Oct 2015 07:28:00 GMT", 86400)
  reads("29 February of a leap year", "Mon, 29 Feb 2016 00:00:00 GMT", 1456704000 - NOW)
  reads("1 March behind it", "Tue, 01 Mar 2016 00:00:00 GMT", 1456790400 - NOW)
  reads("29 February 2000", "Tue, 29 Feb 2000 00:00:00 GMT", 951782400, 0)
  reads("the year 2038", "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648, 0)
  reads("1 March 2100, after a year that does not leap", "Mon, 01 Mar 2100 00:00:00 GMT",
    4107542400, 0)
  reads("the last second of year 9999", "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799, 0)
  reads("a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 - NOW)
  reads("capitals", "WED, 21 OCT 2015 07:29:00 GMT", 60)
  reads("surrounding white space", " Wed, 21 Oct 2015 07:29:00 GMT\r\n", 60)
  reads("a weekday that does not fit", "Mon, 21 Oct 2015 07:29:00 GMT", 60)
  reads("RFC 850", "Wednesday, 21-Oct-15 07:29:00 GMT", 60)
  reads("asctime", "Wed Oct 21 07:29:00 2015", 60)
  reads("asctime with a padded day", "Sun Nov  1 00:00:00 2015", 1446336000 - NOW)
  reads("asctime with a zero", "Sun Nov 01 00:00:00 2015", 1446336000 - NOW)

  reads("RFC 850 fifty years ahead", "Wednesday, 21-Oct-65 07:28:00 GMT", 3023335680 - NOW)
  reads("RFC 850 more than fifty years ahead, so of the past century,",
    "Wednesday, 21-Oct-66 07:28:00 GMT", 0)
  reads("RFC 850 of the century before", "Sunday, 06-Nov-94 08:49:37 GMT", 0)
  reads("RFC 850 over the end of a century", "Friday, 01-Jan-00 00:01:00 GMT", 60, 4102444800)
  reads("RFC 850 a second before the end of a century", "Friday, 01-Jan-00 00:00:00 GMT", 1,
    4102444799)

  for title, value in pairs {
    ["the year 100000"] = "Fri, 31 Dec 100000 23:59:59 GMT",
    ["Wed, 99 Oct"] = "Wed, 99 Oct 2015 07:28:00 GMT",
    ["a day 0"] = "Wed, 00 Oct 2015 07:28:00 GMT",
    ["31 November"] = "Mon, 31 Nov 2015 07:28:00 GMT",
    ["29 February of a common year"] = "Sun, 29 Feb 2015 07:28:00 GMT",
    ["29 February 1900"] = "Thu, 29 Feb 1900 07:28:00 GMT",
    ["hour 24"] = "Wed, 21 Oct 2015 24:00:00 GMT",
    ["minute 60"] = "Wed, 21 Oct 2015 07:60:00 GMT",
    ["second 61"] = "Wed, 21 Oct 2015 07:28:61 GMT",
    ["no such month"] = "Wed, 21 Okt 2015 07:28:00 GMT",
    ["no such weekday"] = "Xyz, 21 Oct 2015 07:28:00 GMT",
    ["a weekday alone"] = "Wed",
    ["a weekday and a comma"] = "Wed, ",
    ["no zone"] = "Wed, 21 Oct 2015 07:28:00",
    ["another zone"] = "Wed, 21 Oct 2015 07:28:00 CET",
    ["a numeric zone"] = "Wed, 21 Oct 2015 07:28:00 +0200",
    ["text behind"] = "Wed, 21 Oct 2015 07:28:00 GMT, 5",
    ["a negative day"] = "Wed, -1 Oct 2015 07:28:00 GMT",
    ["one digit for the day"] = "Wed, 1 Oct 2015 07:28:00 GMT",
    ["RFC 850 with four digits"] = "Wednesday, 21-Oct-2015 07:28:00 GMT",
    ["RFC 850 with a short weekday"] = "Wed, 21-Oct-15 07:28:00 GMT",
    ["asctime with a zone"] = "Wed Oct 21 07:28:00 2015 GMT",
    ["asctime, cut"] = "Wed Oct 21 07:28",
    ["ISO 8601"] = "2015-10-21T07:28:00Z",
    ["NUL inside"] = "Wed, 21 Oct 2015\00007:28:00 GMT",
  } do
    reads(title, value, MALFORMED)
  end

  it("I: every day of four centuries follows the one before it by a day", function()
    local names =
      { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
    local expected, days = 0, 0
    for year = 1970, 2369 do
      for month = 1, 12 do
        for day = 1, 31 do
          local seconds =
            core.retry_after(("Thu, %02d %s %04d 00:00:00 GMT"):format(day, names[month], year), 0)
          if seconds ~= MALFORMED then
            if seconds ~= expected then
              error(("%d-%d-%d: %s instead of %s"):format(year, month, day, seconds, expected))
            end
            expected, days = expected + 86400, days + 1
          end
        end
      end
    end
    assert.equal(146097, days)
  end)
end)
