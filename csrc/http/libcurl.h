/* libcurl.h: libcurl as a whole: its set-up for the process, its version, what it was built with.
   https://curl.se/libcurl/c/libcurl.html */
#ifndef PT_LIBCURL_H
#define PT_LIBCURL_H

#include <stdbool.h>

/* Sets libcurl up for the process, at the first call. False when that failed. Never undone: other
 * code of the process may use libcurl. */
bool pt_libcurl_start(void);
/* The version of libcurl, "7.88.1". */
const char *pt_libcurl_version(void);
/* Whether this version may raise SIGPIPE, see sigpipe.h. */
bool pt_libcurl_raises_sigpipe(void);
/* The CA file and directory libcurl was built to use; NULL when unknown. The directory only where
 * the TLS library looks certificates up in it. */
void pt_libcurl_default_ca(const char **file, const char **path);
/* Whether libcurl can read a proxy's URL: it has a host, and its port is one. */
bool pt_libcurl_reads_proxy(const char *url);

#endif
