/* retry.h: whether one more attempt follows. The only place that decides it; a pure function
 * without clock, memory or I/O. */
#ifndef PT_RETRY_H
#define PT_RETRY_H

#include "api/operations.h"
#include "http/attempt.h"

#include <stdbool.h>

/* What may have happened on the server. */
typedef enum {
  PT_OUTCOME_DONE,
  PT_OUTCOME_UNSENT,
  PT_OUTCOME_REJECTED,
  PT_OUTCOME_UNKNOWN
} pt_outcome;

typedef struct {
  pt_method method;
  bool keyed; /* the request carries an Idempotency-Key */
  pt_attempt_end end;
  int status;          /* of an answered attempt, else 0 */
  int redirect_status; /* the redirect that is this operation's success, or 0 */
  bool sent;           /* request bytes may have left */
  double retry_after;  /* seconds from Retry-After, or negative when there is none */
  int attempt;         /* number of this attempt, from 1 */
  int retries;         /* option: attempts after the first */
  int uncounted;       /* earlier attempts of this call that do not count against `retries` */
  bool patient;        /* an answer 429 does not count either: only the deadline ends the call */
  int dns_failures;    /* attempts of this call that ended in PT_END_DNS, this one included */
  bool unknown_before; /* an earlier attempt of this call may have been carried out */
  double tokens;       /* left in the client's retry budget */
  double left;         /* seconds until the deadline */
  double jitter;       /* uniform in [0, 1) */
} pt_retry_input;

typedef struct {
  bool success;       /* 2xx, the documented redirect, or a DELETE that finds its work done */
  bool retry;         /* one more attempt, after `wait` */
  bool retryable;     /* the table would allow one more, if number, time and budget did */
  double wait;        /* seconds; also set when the wait would pass the deadline */
  bool past_deadline; /* not retried because the wait would pass the deadline */
  bool uncounted;     /* this attempt does not count against `retries` */
  double cost;        /* tokens this retry takes; none after 429, which asks to come back */
  pt_outcome outcome; /* of the whole call, if it ends here */
} pt_retry_decision;

#define PT_RETRY_BUDGET 500.0
#define PT_RETRY_COST 5.0
#define PT_RETRY_COST_TIMEOUT 10.0
#define PT_RETRY_REFUND 1.0
#define PT_RETRY_BASE 0.5
#define PT_RETRY_AT_ONCE 16 /* uncounted ones, however short the wait; then at least the base */
#define PT_RETRY_MAX_WAIT 8.0

/* The rules of README, "Retries". */
pt_retry_decision pt_retry_decide(const pt_retry_input *input);

#endif
