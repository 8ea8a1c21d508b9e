/* exchange_end.h: what libcurl's code, the status and what was noted on the way mean for an
   attempt. Pure. https://curl.se/libcurl/c/libcurl-errors.html */
#ifndef PT_EXCHANGE_END_H
#define PT_EXCHANGE_END_H

#include "http/attempt.h"

#include <curl/curl.h>
#include <stdbool.h>

/* What is known of an exchange that libcurl ended. */
typedef struct {
  CURLcode code;
  const char *words;   /* what libcurl says of it; "" for nothing */
  long os_errno;       /* of the system call that failed, 0 when unknown: CURLINFO_OS_ERRNO */
  long status;         /* of the last reply; 0 when there was none */
  long connect_status; /* of the proxy's answer to CONNECT; 0 when there was none */
  unsigned sends;      /* how often libcurl went to send the request */
  bool sent;           /* request bytes may have left */
  bool proxy;          /* the way to the server is through a proxy */
  bool https;
  bool headers_done;  /* the head of the reply came whole */
  bool refused;       /* an HTTP/2 peer said that it did not process the request */
  bool bad_status;    /* the reply begins with another line than a status line of ours */
  bool bad_header;    /* its first header line continues another */
  bool bad_length;    /* Content-Length is not a number, or not the only one */
  bool too_large;     /* the head or the body passed its limit */
  bool out_of_memory; /* there was no memory for the reply */
} pt_exchange_facts;

typedef struct {
  pt_attempt_end end;
  int status; /* of the reply, or of the proxy's answer to CONNECT; 0 when there was none */
  const char *message; /* what went wrong; NULL when the server answered */
} pt_exchange_end;

pt_exchange_end pt_exchange_judge(const pt_exchange_facts *facts);

#endif
