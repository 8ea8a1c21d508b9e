// Creates organizations with the vendor's client, several at once; prints the seconds it took and
// the processor seconds for each. Usage: node concurrency.mjs URL ITEMS CONCURRENCY; wants
// spec/conformance/node_modules.

import { client } from "../spec/conformance/vendor.mjs";

const [url, items, concurrency] = process.argv.slice(2);
const vendor = client(url, { token: "bench" });
let next = 0;

async function worker() {
  while (next < items) {
    next += 1;
    const { data } = await vendor.organization.create({ name: `Acme ${next}` });
    if (!data.id) throw new Error("not what was served");
  }
}

const start = performance.now();
const before = process.cpuUsage();
await Promise.all(Array.from({ length: Number(concurrency) }, worker));
const { user, system } = process.cpuUsage(before);
console.log((performance.now() - start) / 1000, (user + system) / 1e6 / items);
process.exit(0);
