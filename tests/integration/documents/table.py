"""
Every command of the pages: typed by a test, or not typed for a stated reason.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The commands that tests type as they stand, by page.
TYPED: Mapping[str, tuple[str, ...]] = {
    "README.md": (
        ".venv/bin/wsmsg chat --user 1001 --target 1002",
        ".venv/bin/wsmsg chat --user 1002 --target 1001",
        ".venv/bin/twistd -n message",
        ".venv/bin/twistd -n connect",
        ".venv/bin/wsmsg status",
        r"printf 'one\ntwo\n' | .venv/bin/wsmsg chat --user 1001 --target 1002 "
        "&& echo accepted",
    ),
    "docs/explanation/benchmarks.md": ("wsmsg bench --help",),
    "docs/tutorial/backend.md": (
        "openssl genpkey -algorithm ed25519 -out issuer.pem",
        "openssl pkey -in issuer.pem -pubout -out issuer.pub",
        "twistd -n message --config wsmsg.toml",
        "twistd -n connect --config wsmsg.toml",
        "python backend.py",
        "node backend.mjs",
        """curl -s 'http://127.0.0.1:8000/token?user=anna' """
        """| sed 's/.*: *"//; s/".*//' | wsmsg token check --config wsmsg.toml""",
    ),
    "docs/tutorial/bot.md": (
        "export WSMSG_URL=ws://127.0.0.1:21005",
        "export WSMSG_TOKEN_COMMAND='wsmsg token 4001'",
        "python echo.py",
        'group=$(wsmsg groups create --user 1001 "Games" 1002 4001)',
        "export WSMSG_POSITION_FILE=dice.json",
        "python dice.py",
        r"printf '/roll\n' | wsmsg chat --user 1001 --target 4001 && echo accepted",
    ),
    "docs/how-to/install.md": (
        "twistd -n message",
        "twistd -n connect",
        "wsmsg doctor",
        "wsmsg status",
        r"printf 'one\ntwo\n' | wsmsg chat --user 1001 --target 1002 && echo accepted",
    ),
    "docs/how-to/upgrade.md": ("wsmsg status", "wsmsg doctor"),
    "docs/how-to/cores.md": ("wsmsg status",),
    "docs/how-to/keys.md": (
        "wsmsg key new billing-2 --scopes send",
        "wsmsg key list",
        "wsmsg key revoke billing",
    ),
    "docs/reference/tokens.md": ("wsmsg token 1001 | wsmsg token check",),
    "docs/how-to/test-stack.md": (".venv/bin/python -m tools.stack --help",),
    "docs/reference/access.md": (
        'curl -s -H "Authorization: Bearer $(cat ~/.local/state/wsmsg/admin.key)" '
        "127.0.0.1:23004/status",
    ),
    "docs/how-to/incidents.md": (
        "wsmsg status",
        "wsmsg doctor",
        "wsmsg dead-letters list",
        "wsmsg dead-letters replay 7 8",
    ),
    "docs/how-to/backup.md": (
        """sqlite3 "$DATA_DIR/store.db" ".backup '$BACKUP/store.db'\"""",
        'sqlite3 "$BACKUP/store.db" '
        '"PRAGMA integrity_check; SELECT count(*) FROM messages"',
        'rm -f "$DATA_DIR"/*.db-wal "$DATA_DIR"/*.db-shm',
        'cp "$BACKUP/store.db" "$DATA_DIR/"',
        'wsmsg store restored --data-dir "$DATA_DIR"',
    ),
    "docs/how-to/move-store.md": (
        "wsmsg export store.jsonl",
        "wsmsg import --config many.toml store.jsonl",
        "wsmsg import --config many.toml --verify store.jsonl",
    ),
}

#: Pages all of whose commands in blocks are typed, with the answers compared.
TYPED_PAGES = ("docs/reference/http.md",)

_PLACE = "names the place of a checkout"
_INDEX = "sets up .venv from a package index"
_SERVERS = "starts real servers; tests/stack does the same"
_LONG = "takes minutes; tests/bench runs the same program"
_CAPACITY = "tests/capacity calls the same function"
_OTHERS = "needs servers of others; tests/typescript/test_socketio.py runs one"
_PROOF = "takes minutes; tests/faults, tests/stack/faults and tests/prove do the same"
_ROOT = "installs below /opt; tests/test_packaging.py does so elsewhere"
_DOCKER = "needs Docker; tests/deploy checks the files"
_CLUSTER = "needs a cluster; tests/deploy renders the chart"
_LINK = "makes a link for a browser; tests/browser opens one"
_ISSUER = "needs the private key of an issuer; tests/cli/token signs with such keys"
_TLS = "needs certificates; tests/integration/tls makes some"
_CONNECTS = "moves clients to a second Connect; tests/integration/operations does so"
_KAFKA = "needs Kafka; tests/stack/faults/test_repartition.py does the same"
_MESSAGES = "asks for messages of an example; operations/test_where.py makes some"
_WORKERS = "starts the same as operations/test_workers.py"
_SYSTEMD = "needs systemd as process 1; tests/deploy checks the units"

#: The commands that no test types, with the reason.  Their programs, options, targets
#: and paths are checked.
NOT_TYPED: Mapping[str, str] = {
    "mkdir -p ~/mychat/public && cd ~/mychat": _PLACE,
    "export PATH=~/wsmsg/.venv/bin:$PATH": _PLACE,
    "(cd ~/wsmsg/clients/typescript && npm ci && npm run build)": _INDEX,
    "cp -r ~/wsmsg/clients/typescript/dist public/client": _PLACE,
    "wsmsg chat --user 1001 --target 4001": "is a chat on a terminal",
    'wsmsg chat --user 1001 --group "$group"': "is a chat on a terminal",
    'echo "http://127.0.0.1:21005/chat#token=$(.venv/bin/wsmsg token 1001)"': _LINK,
    'echo "http://127.0.0.1:21005/chat#token=$(wsmsg token 1001)"': _LINK,
    "twistd -n connect --workers 2": _WORKERS,
    "twistd -n message --workers 2 --config many.toml": _SERVERS,
    ".venv/bin/twistd -n message": "README has it too",
    ".venv/bin/twistd -n connect": "README has it too",
    "make demo": f"{_INDEX}; then it is wsmsg demo, which tests/integration runs",
    "make test": "is the run of which this test is a part",
    "make bench": _LONG,
    "make bench ARGS='--only floor,saturation'": _LONG,
    "wsmsg drain --per-s 500": _CONNECTS,
    "wsmsg rebalance --per-s 500": _CONNECTS,
    "wsmsg journal repartition --partitions 12 --config /etc/wsmsg/many.toml "
    "--dry-run": _KAFKA,
    "wsmsg journal repartition --partitions 12 --config /etc/wsmsg/many.toml": _KAFKA,
    "wsmsg journal repartition --cancel --config /etc/wsmsg/many.toml": _KAFKA,
    "wsmsg where u:1001:1002 42": _MESSAGES,
    "wsmsg where 2299739756756992": _MESSAGES,
    "wsmsg where 1001 5f0c8d3e": _MESSAGES,
    "wsmsg token --config wsmsg.toml --key issuer.jwk 1001": _ISSUER,
    "wsmsg token --config wsmsg.toml --key issuer.pem --kid 2026-11 1001": _ISSUER,
    "wsmsg bench --stack": _LONG,
    "wsmsg bench --journal kafka://a:9092/topic --store mongodb://b/db": _LONG,
    "python -m tools.capacity --connections 20000 --rate 300": _CAPACITY,
    "python -m tools.capacity --check": _CAPACITY,
    "python -m tools.capacity --measure": _LONG,
    "wsmsg bench --profile": _LONG,
    "wsmsg bench --against websockets": _LONG,
    "wsmsg bench --against socketio=ws://127.0.0.1:3000 "
    "--against centrifugo=ws://127.0.0.1:8000 "
    "--against-key centrifugo=centrifugo.key": _OTHERS,
    "python -m tools.bench_legacy": _LONG,
    "python -m tools.stack up": _SERVERS,
    "make stack-install": _SERVERS,
    "make stack-up": _SERVERS,
    "make stack-down": _SERVERS,
    "python3 -m venv /opt/wsmsg-0.1.0": _ROOT,
    "pip install 'wsmsg[otel]'": "installs from a package index",
    "/opt/wsmsg-0.1.0/bin/pip install wsmsg_client-*.whl wsmsg-*.whl": _ROOT,
    "/opt/wsmsg/bin/twistd --help": _ROOT,
    "cd deploy/compose": _DOCKER,
    "./secrets": "writes into deploy/compose; tests/deploy runs it in a copy",
    "docker compose --profile one up --wait --build": _DOCKER,
    "docker compose --profile one exec one-connect wsmsg status": _DOCKER,
    "docker compose --profile one exec -it one-connect "
    "wsmsg chat --user 1001 --target 1002": _DOCKER,
    "docker compose --profile stack up --wait --build "
    "--scale message=2 --scale connect=2": _DOCKER,
    "docker compose --profile stack --profile observe up --wait": _DOCKER,
    "docker build -f deploy/compose/Dockerfile -t wsmsg .": _DOCKER,
    "docker build -f deploy/compose/Dockerfile "
    "-t registry.example.org/wsmsg:0.1.0 .": _DOCKER,
    "docker push registry.example.org/wsmsg:0.1.0": _DOCKER,
    "kubectl create namespace im": _CLUSTER,
    "kubectl -n im create secret generic wsmsg-peer \\\n"
    '    --from-literal=secrets="$(openssl rand -base64 48)"': _CLUSTER,
    "kubectl -n im create secret generic wsmsg-token \\\n"
    '    --from-literal=secret="$(openssl rand -base64 48)"': _CLUSTER,
    "kubectl -n im rollout status deployment/chat-connect": _CLUSTER,
    "kubectl -n im rollout status statefulset/chat-message": _CLUSTER,
    "helm install chat deploy/helm/wsmsg -n im "
    "--set image.repository=registry.example.org/wsmsg": _CLUSTER,
    "systemctl stop wsmsg-connect@1 wsmsg-message@1": _SYSTEMD,
    "systemctl restart wsmsg-message@1": _SYSTEMD,
    "systemctl restart wsmsg-connect@1": _SYSTEMD,
    "systemctl daemon-reload": _SYSTEMD,
    "systemctl enable --now wsmsg.target": _SYSTEMD,
    "systemctl status 'wsmsg-*'": _SYSTEMD,
    "systemctl enable --now wsmsg-connect@1.socket": _SYSTEMD,
    "echo WSMSG_CONNECT__LISTEN=systemd:domain=INET:index=0 "
    ">> /etc/wsmsg/connect-1.env": _SYSTEMD,
    "install -m 644 deploy/systemd/*.service /etc/systemd/system/": _SYSTEMD,
    "install -m 644 deploy/systemd/*.socket /etc/systemd/system/": _SYSTEMD,
    "install -m 644 deploy/systemd/*.target /etc/systemd/system/": _SYSTEMD,
    "install -d -m 755 /etc/wsmsg": _SYSTEMD,
    "install -m 644 deploy/systemd/wsmsg.toml.example /etc/wsmsg/wsmsg.toml": _SYSTEMD,
    "install -m 600 deploy/systemd/wsmsg.env.example /etc/wsmsg/wsmsg.env": _SYSTEMD,
    "/opt/wsmsg/bin/wsmsg check-config /etc/wsmsg/wsmsg.toml": _ROOT,
    "/opt/wsmsg/bin/wsmsg status": _ROOT,
    "/opt/wsmsg/bin/wsmsg token --data-dir /var/lib/wsmsg-connect 1001": _ROOT,
    "ln -sfn /opt/wsmsg-0.1.0 /opt/wsmsg": _ROOT,
    "ln -sfn /opt/wsmsg-0.2.0 /opt/wsmsg": _ROOT,
    "python3 -m venv /opt/wsmsg-0.2.0": _ROOT,
    "/opt/wsmsg-0.2.0/bin/pip install wsmsg_client-*.whl wsmsg-*.whl": _ROOT,
    "/opt/wsmsg-0.2.0/bin/wsmsg check-config /etc/wsmsg/wsmsg.toml": _ROOT,
    "wsmsg check-config wsmsg.toml": _TLS,
    "wsmsg chat --user 1001 --target 1002 --url wss://chat.example --ca ca.pem": _TLS,
    "wsmsg prove --minutes 10 --report report.json": _PROOF,
    "wsmsg prove check run.jsonl": _PROOF,
    "wsmsg prove plant loss run.jsonl | wsmsg prove check -": _PROOF,
    "wsmsg prove --stack --faults kill,stop,broker,store,users --minutes 10": _PROOF,
    "wsmsg prove --url wss://chat.example.com/api/v1/connect/ws "
    "--config wsmsg.toml --token-key issuer.pem": _PROOF,
    "wsmsg prove --minutes 30 --report tools/proofs/embedded.json": _PROOF,
    "wsmsg prove --stack --minutes 30 --report tools/proofs/stack.json": _PROOF,
    "ws://HOST:21005/api/v1/connect/ws": "is an address, not a command",
}
