/* random.c: see random.h. */
#define _DEFAULT_SOURCE /* getentropy */
#include "base/random.h"

#include "base/ascii.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MAX_ENTROPY 256 /* bytes getentropy gives at once */

/* For kernels without the system call, and sandboxes that forbid it. */
static bool read_device(unsigned char *bytes, size_t length) {
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  while (length > 0) {
    ssize_t got = read(file, bytes, length);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    bytes += got;
    length -= (size_t)got;
  }
  (void)close(file);
  return length == 0;
}

/* Fills from the kernel, by getentropy or /dev/urandom. False when neither works. */
static bool random_bytes(unsigned char *bytes, size_t length) {
  while (length > 0) {
    size_t part = length < MAX_ENTROPY ? length : MAX_ENTROPY;
    if (getentropy(bytes, part) != 0)
      return read_device(bytes, length);
    bytes += part;
    length -= part;
  }
  return true;
}

bool pt_random_uuid(char uuid[PT_UUID_LENGTH + 1]) {
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[16];
  if (!random_bytes(bytes, sizeof bytes))
    return false;
  bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
  bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
  char *out = uuid;
  for (size_t i = 0; i < sizeof bytes; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *out++ = '-';
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 0x0f];
  }
  *out = '\0';
  return true;
}

double pt_random_unit(void) {
  uint64_t bits;
  unsigned char bytes[sizeof bits];
  if (!random_bytes(bytes, sizeof bytes))
    return 0.5;
  memcpy(&bits, bytes, sizeof bits);
  return (double)(bits >> 11) / 9007199254740992.0; /* 53 bits over 2^53 */
}

bool pt_uuid_valid(const char *text, size_t length) {
  if (length != PT_UUID_LENGTH)
    return false;
  for (size_t i = 0; i < length; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !pt_is_hexadecimal(text[i]))
      return false;
  }
  return true;
}
