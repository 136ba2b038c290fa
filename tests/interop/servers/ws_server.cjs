// A server of node's `ws` package. See __init__.py for what it is asked for and what it answers.
"use strict";

const { createServer: createPlain } = require("node:http");
const { createServer: createSecure } = require("node:https");
const { readFileSync } = require("node:fs");
const { parseArgs } = require("node:util");
const { WebSocketServer } = require("ws");

const { values: options } = parseArgs({
  options: { certfile: { type: "string" }, compress: { type: "boolean", default: false } },
});

function converse(socket) {
  socket.on("message", (data, isBinary) => {
    const text = isBinary || data.length > 5 ? "" : data.toString();
    if (text === "close") {
      socket.close(3001, "as you asked");
      return;
    }
    if (text === "ping") {
      socket.ping("are you there?");
    }
    socket.send(data, { binary: isBinary });
  });
}

function makeServer() {
  if (options.certfile === undefined) {
    return createPlain();
  }
  // One file has the key and the chain.
  const pem = readFileSync(options.certfile);
  return createSecure({ key: pem, cert: pem });
}

const server = makeServer();
new WebSocketServer({
  server,
  perMessageDeflate: options.compress,
  maxPayload: 64 * 1024 * 1024,
}).on("connection", converse);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
