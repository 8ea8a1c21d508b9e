/* proxy_variable.c: see proxy_variable.h. */
#include "http/proxy_variable.h"

#include "base/ascii.h"
#include "base/environment.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 256, IPV4_BITS = 32, IPV6_BITS = 128 };

/* An address, or a name when `family` is AF_UNSPEC. */
typedef struct {
  int family;
  unsigned char bytes[16];
  char name[MAX_NAME];
  size_t length;
} network_host;

/* False when it is too long to be a name. */
static bool read_host(network_host *to, const char *text, size_t length) {
  if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
    text++;
    length -= 2;
  }
  while (length > 0 && text[length - 1] == '.')
    length--;
  if (length == 0 || length >= MAX_NAME)
    return false;
  memcpy(to->name, text, length);
  to->name[length] = '\0';
  to->length = length;
  to->family = inet_pton(AF_INET, to->name, to->bytes) == 1    ? AF_INET
               : inet_pton(AF_INET6, to->name, to->bytes) == 1 ? AF_INET6
                                                               : AF_UNSPEC;
  return true;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits) {
  unsigned left = bits % 8;
  unsigned mask = left == 0 ? 0 : 0xffu << (8 - left);
  return memcmp(a, b, bits / 8) == 0 && ((a[bits / 8 % 16] ^ b[bits / 8 % 16]) & mask) == 0;
}

/* Whether an address is the entry's, or in its block "10.0.0.0/8". */
static bool address_matches(const network_host *host, const char *entry, size_t length) {
  unsigned all = host->family == AF_INET ? IPV4_BITS : IPV6_BITS, bits = all;
  const char *slash = memchr(entry, '/', length);
  network_host block = {0};
  if (slash != NULL) {
    char *end;
    unsigned long number = strtoul(slash + 1, &end, 10);
    if (end == slash + 1 || end != entry + length || number > all)
      return false;
    bits = (unsigned)number;
    length = (size_t)(slash - entry);
  }
  return read_host(&block, entry, length) && block.family == host->family &&
         same_bits(host->bytes, block.bytes, bits);
}

/* Whether a name is the entry's, or below it. */
static bool name_matches(const network_host *host, const char *entry, size_t length) {
  while (length > 0 && entry[length - 1] == '.')
    length--;
  if (length > 0 && entry[0] == '.') {
    entry++;
    length--;
  }
  if (length == 0 || length > host->length)
    return false;
  const char *tail = host->name + host->length - length;
  return pt_ascii_same(tail, entry, length) && (tail == host->name || tail[-1] == '.');
}

bool pt_proxy_excluded(const char *list, const char *host, size_t length) {
  static const char separators[] = ", \t";
  network_host of_host = {0};
  if (strcmp(list, "*") == 0)
    return true;
  if (!read_host(&of_host, host, length))
    return false;
  for (const char *entry = list + strspn(list, separators); *entry != '\0';) {
    size_t size = strcspn(entry, separators);
    if (of_host.family == AF_UNSPEC ? name_matches(&of_host, entry, size)
                                    : address_matches(&of_host, entry, size))
      return true;
    entry += size;
    entry += strspn(entry, separators);
  }
  return false;
}

/* The first of the names that is set and not empty. */
static const char *first_set(const char *const *names) {
  for (; *names != NULL; names++) {
    const char *value = pt_environment(*names);
    if (value != NULL && value[0] != '\0')
      return *names;
  }
  return NULL;
}

const char *pt_proxy_variable(const pt_base_url *server) {
  static const char *const for_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
  static const char *const for_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                          NULL};
  static const char *const exceptions[] = {"no_proxy", "NO_PROXY", NULL};
  if (server->loopback)
    return NULL;
  const char *variable = first_set(server->https ? for_https : for_http);
  const char *exception = variable != NULL ? first_set(exceptions) : NULL;
  if (exception != NULL &&
      pt_proxy_excluded(pt_environment(exception), server->host, server->host_length))
    return NULL;
  return variable;
}
