import json
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt

USERS = {"anna": "1001", "ben": "1002"}  # yours are in your database


def make_token(user: str) -> str:
    now = int(time.time())
    claims = {
        "sub": user,
        "iss": "https://mychat.example",
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(claims, Path("issuer.pem").read_text(), algorithm="EdDSA")


class Backend(SimpleHTTPRequestHandler):
    def __init__(self, *args, **options):
        super().__init__(*args, directory="public", **options)

    def do_GET(self):
        address = urlsplit(self.path)
        if address.path != "/token":
            super().do_GET()
            return
        name = parse_qs(address.query).get("user", [""])[0]
        if name not in USERS:
            self.send_error(403)
            return
        answer = json.dumps({"token": make_token(USERS[name])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(answer)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8000), Backend).serve_forever()
