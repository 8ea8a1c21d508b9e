// Lists users with the vendor's client, once for every line read from its one connection, and
// answers each with the seconds it took. Prints the port it listens on. Usage: node list_users.mjs
// URL; wants spec/conformance/node_modules.

import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { client } from "../spec/conformance/vendor.mjs";

const ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d";
const vendor = client(process.argv[2], { token: "bench" });

async function list() {
  const start = performance.now();
  const { data } = await vendor.users.list(ORGANIZATION);
  const seconds = (performance.now() - start) / 1000;
  if (data.length !== 10000 || data[9999].role_ids.length !== 1)
    throw new Error("not what was served");
  return seconds;
}

const server = createServer(async (socket) => {
  server.close();
  for await (const line of createInterface({ input: socket }))
    if (line) socket.write(`${await list()}\n`);
  socket.end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
