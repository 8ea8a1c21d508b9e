/* retry.c: see retry.h. */
#include "api/retry.h"

#include <math.h>

static bool is_safe(pt_method method) { return method == PT_METHOD_GET; }

/* Repeating the request has the effect of sending it once (RFC 9110 section 9.2.2). */
static bool is_idempotent(pt_method method) {
  return method == PT_METHOD_GET || method == PT_METHOD_PUT || method == PT_METHOD_DELETE;
}

static bool is_success(const pt_retry_input *input) {
  if (input->end != PT_END_ANSWERED)
    return false;
  if (input->status >= 200 && input->status < 300)
    return true;
  if (input->redirect_status != 0 && input->status == input->redirect_status)
    return true;
  /* An earlier DELETE, whose reply was lost, did the work this one no longer finds. */
  return input->method == PT_METHOD_DELETE && input->status == 404 && input->unknown_before;
}

/* A gateway or an overloaded server answered: the request may or may not have been carried out
   by a server behind it. A 503 that asks to come back is repeated even without a key, although the
   server behind the gateway that says so may have done the work. */
static bool is_doubtful_status(const pt_retry_input *input) {
  return input->status == 408 || input->status == 425 || input->status >= 500;
}

/* What this attempt alone may have done. */
static pt_outcome attempt_outcome(const pt_retry_input *input) {
  if (input->end == PT_END_ANSWERED) {
    if (is_safe(input->method) || !is_doubtful_status(input))
      return PT_OUTCOME_REJECTED;
    return PT_OUTCOME_UNKNOWN;
  }
  if (input->end == PT_END_BAD_RESPONSE)
    return PT_OUTCOME_UNKNOWN;
  return input->sent ? PT_OUTCOME_UNKNOWN : PT_OUTCOME_UNSENT;
}

/* Whether a refusal comes after the API's idempotency store: had an earlier attempt with this key
   been carried out, its outcome would have been replayed instead. Authentication, rate limits and
   the lock on the key come before the store. */
static bool refutes_earlier(const pt_retry_input *input) {
  if (!input->keyed || input->end != PT_END_ANSWERED || input->status < 400 || input->status >= 500)
    return false;
  switch (input->status) {
  case 401:
  case 403:
  case 408:
  case 409:
  case 425:
  case 429: return false;
  default: return true;
  }
}

static pt_outcome call_outcome(const pt_retry_input *input) {
  if (is_success(input))
    return PT_OUTCOME_DONE;
  if (input->unknown_before && !is_safe(input->method) && !refutes_earlier(input))
    return PT_OUTCOME_UNKNOWN;
  return attempt_outcome(input);
}

static bool status_retryable(const pt_retry_input *input) {
  bool repeatable = is_idempotent(input->method) || input->keyed;
  switch (input->status) {
  case 429: return true;
  case 503: return repeatable || input->retry_after >= 0;
  case 408:
  case 425:
  case 502:
  case 504: return repeatable;
  case 500: /* the API replays a stored 500 for a key */
    return is_idempotent(input->method) && !input->keyed;
  case 409: /* after a lost reply it may be the key's lock */
    return input->keyed && input->unknown_before;
  default: return false;
  }
}

/* One row of the table. */
static bool table_allows(const pt_retry_input *input) {
  switch (input->end) {
  case PT_END_ANSWERED: return status_retryable(input);
  case PT_END_CONNECT: return true;
  case PT_END_DNS: return input->dns_failures < 2;
  case PT_END_PROXY: /* a proxy that fails may recover; one that refuses will not */
    return input->status == 0 || input->status >= 500;
  case PT_END_TIMEOUT:
  case PT_END_NETWORK: return !input->sent || is_idempotent(input->method) || input->keyed;
  case PT_END_TLS:
  case PT_END_PROTOCOL:
  case PT_END_BAD_RESPONSE:
  case PT_END_TOO_LARGE:
  case PT_END_MEMORY:
  case PT_END_CANCELLED:
  case PT_END_CLOSED: return false;
  }
  return false;
}

/* Full jitter: uniform in (0, min(cap, base * 2^n)) before the (n+1)-th retry. */
static double backoff(const pt_retry_input *input) {
  return input->jitter * fmin(PT_RETRY_MAX_WAIT,
                              ldexp(PT_RETRY_BASE, input->attempt > 30 ? 30 : input->attempt - 1));
}

pt_retry_decision pt_retry_decide(const pt_retry_input *input) {
  pt_retry_decision decision = {0};
  decision.success = is_success(input);
  decision.outcome = call_outcome(input);
  bool rate_limited = input->end == PT_END_ANSWERED && input->status == 429;
  decision.cost = rate_limited                   ? 0
                  : input->end == PT_END_TIMEOUT ? PT_RETRY_COST_TIMEOUT
                                                 : PT_RETRY_COST;
  decision.uncounted = rate_limited && input->patient;
  if (decision.success)
    return decision;
  decision.retryable = table_allows(input);
  if (!decision.retryable)
    return decision;
  bool honours = input->end == PT_END_ANSWERED && input->retry_after >= 0;
  decision.wait = honours ? input->retry_after : backoff(input);
  if (decision.uncounted && input->uncounted >= PT_RETRY_AT_ONCE) /* "Retry-After: 0" for ever */
    decision.wait = fmax(decision.wait, PT_RETRY_BASE);
  bool used_up = input->attempt - input->uncounted > input->retries && !decision.uncounted;
  if (used_up || input->tokens < decision.cost)
    return decision;
  if (decision.wait >= input->left) {
    decision.past_deadline = true;
    return decision;
  }
  decision.retry = true;
  return decision;
}
