// Makes create_user calls with the vendor's client and prints, for each e-mail address, what the
// call reported: "data", "rejected" or "unknown". A call that has not ended after `patience`
// seconds is given up as "unknown": this client's timeout does not cover the body. Reads { url,
// token, organization, emails, inFlight, timeout, retries, patience } from standard input; wants
// spec/conformance/node_modules.

import { client, input, PolytomicError } from "../spec/conformance/vendor.mjs";

const { url, token, organization, emails, inFlight, timeout, retries, patience } = await input();
const vendor = client(url, { token });
const told = {};

// A 4xx is a refusal; a 5xx, a timeout or a broken connection says nothing of what happened.
function verdict(error) {
  const status = error instanceof PolytomicError ? error.statusCode : undefined;
  return status >= 400 && status < 500 && status !== 408 ? "rejected" : "unknown";
}

function hung() {
  return new Promise((resolve) => setTimeout(resolve, patience * 1000, {}).unref());
}

async function create(email) {
  try {
    const call = vendor.users.create(
      organization,
      { email },
      { timeoutInSeconds: timeout, maxRetries: retries },
    );
    const { data } = await Promise.race([call, hung()]);
    told[email] = data?.email === email ? "data" : "unknown";
  } catch (error) {
    told[email] = verdict(error);
  }
}

let next = 0;
async function worker() {
  while (next < emails.length) await create(emails[next++]);
}
await Promise.all(Array.from({ length: inFlight }, worker));
console.log(JSON.stringify(told));
process.exit();
