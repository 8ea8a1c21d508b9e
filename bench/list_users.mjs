// Lists users with the vendor's client, or parses the text of that list: "list COUNT" or "parse
// COUNT" on its one connection, answered with the milliseconds of the processor and of the clock
// that each of them took. Prints the port it listens on.
// Usage: node list_users.mjs URL; wants spec/conformance/node_modules.

import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { client } from "../spec/conformance/vendor.mjs";

const ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d";
const vendor = client(process.argv[2], { token: "bench" });
const text = await (await fetch(process.argv[2])).text();

const work = {
  list: async () => (await vendor.users.list(ORGANIZATION)).data,
  parse: async () => JSON.parse(text).data,
};

async function block(what, count) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const data = await work[what]();
    if (data.length !== 10000 || data[9999].role_ids.length !== 1) {
      throw new Error("not what was served");
    }
  }
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return `${(user + system) / 1000 / count} ${wall / count}`;
}

const server = createServer(async (socket) => {
  server.close();
  for await (const line of createInterface({ input: socket })) {
    const [what, count] = line.split(" ");
    if (line) socket.write(`${await block(what, Number(count))}\n`);
  }
  socket.end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
