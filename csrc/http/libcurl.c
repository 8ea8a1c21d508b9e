/* libcurl.c: see libcurl.h. */
#include "http/libcurl.h"

#include "base/memory.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* CURLOPT_PREREQFUNCTION, without which libcurl cannot be stopped from sending a request twice. */
#if LIBCURL_VERSION_NUM < 0x075000
#error "libcurl 7.80 or newer is needed"
#endif

/* Held while libcurl writes to what its process has once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialised;
static CURLcode global_result = CURLE_FAILED_INIT;

#ifdef PT_TESTING
static char *testing_strdup(const char *text) { return pt_copy(text, strlen(text)); }
static void *testing_calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size)
    return NULL;
  return pt_zalloc(count * size);
}
#endif

/* Keeps this module mapped for good: lua_close would unload it while a resolver thread of libcurl
   may still run. Here rather than by a linker's flag, which LuaRocks cannot pass on. Where it fails
   nothing is lost but that. */
static void prevent_unloading(void) {
  static const char inside = 0;
  Dl_info module;
  if (dladdr(&inside, &module) != 0 && module.dli_fname != NULL)
    (void)dlopen(module.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

static void initialise(void) {
  prevent_unloading();
#ifdef PT_TESTING
  global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, pt_malloc, pt_free, pt_realloc,
                                       testing_strdup, testing_calloc);
#else
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
#endif
}

bool pt_libcurl_start(void) {
  (void)pthread_mutex_lock(&lock);
  if (!initialised)
    initialise();
  initialised = true;
  bool works = global_result == CURLE_OK;
  (void)pthread_mutex_unlock(&lock);
  return works;
}

/* What libcurl says of itself, in memory it writes to when it is asked. */
static const curl_version_info_data *version_info(void) {
  static const curl_version_info_data *info;
  (void)pthread_mutex_lock(&lock);
  if (info == NULL)
    info = curl_version_info(CURLVERSION_NOW);
  const curl_version_info_data *known = info;
  (void)pthread_mutex_unlock(&lock);
  return known;
}

const char *pt_libcurl_version(void) { return version_info()->version; }

bool pt_libcurl_raises_sigpipe(void) { return version_info()->version_num < 0x075800; }

void pt_libcurl_default_ca(const char **file, const char **path) {
  *file = *path = NULL;
  const curl_version_info_data *info = version_info();
  if (info->age >= CURLVERSION_SEVENTH) {
    const char *tls = info->ssl_version != NULL ? info->ssl_version : "";
    bool looks_up = strncmp(tls, "OpenSSL", 7) == 0 || strncmp(tls, "LibreSSL", 8) == 0;
    *file = info->cainfo;
    *path = looks_up ? info->capath : NULL; /* GnuTLS reads all of it */
  }
}

bool pt_libcurl_reads_proxy(const char *url) {
  const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
  CURLU *parts = curl_url();
  char *host = NULL, *port = NULL;
  bool read =
      parts != NULL && curl_url_set(parts, CURLUPART_URL, url, flags) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '\0' &&
      (curl_url_get(parts, CURLUPART_PORT, &port, 0) != CURLUE_OK || strtol(port, NULL, 10) > 0);
  curl_free(host);
  curl_free(port);
  if (parts != NULL)
    curl_url_cleanup(parts);
  return read;
}
