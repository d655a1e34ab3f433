// A relay on Socket.IO: the messages of one user to another, each acknowledged.
// `wsmsg bench --against socketio` puts load on it.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server } from "socket.io";

const { version } = createRequire(import.meta.url)("socket.io/package.json");
const [port = "3000"] = process.argv.slice(2);
const server = createServer();
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (name, acknowledge) => {
    socket.join(name);
    acknowledge(version);
  });
  socket.on("send", (name, content, acknowledge) => {
    io.to(name).emit("message", content);
    acknowledge();
  });
});

server.listen(Number(port), "127.0.0.1", () => {
  console.log(`port ${server.address().port}`);
});
