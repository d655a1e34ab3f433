import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const USERS = { anna: "1001", ben: "1002" }; // yours are in your database
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };
const key = createPrivateKey(readFileSync("issuer.pem"));

function makeToken(user) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: user, iss: "https://mychat.example", iat: now, exp: now + 3600 };
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

const server = createServer(async (request, response) => {
  const address = new URL(request.url, "http://127.0.0.1:8000");
  if (address.pathname === "/token") {
    const name = address.searchParams.get("user");
    if (!Object.hasOwn(USERS, name)) return response.writeHead(403).end();
    const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
    response.writeHead(200, headers);
    return response.end(JSON.stringify({ token: makeToken(USERS[name]) }));
  }
  const path = address.pathname === "/" ? "/index.html" : normalize(address.pathname);
  try {
    const body = await readFile(join("public", path));
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "text/plain" });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
server.listen(8000, "127.0.0.1");
