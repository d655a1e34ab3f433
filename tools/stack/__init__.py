"""
Kafka, a server with MongoDB's protocol, and Redis on loopback, without containers::

    python -m tools.stack install     install missing servers into the cache
    python -m tools.stack up          start them; wait until each accepts a write
    python -m tools.stack down        stop them
    python -m tools.stack --help      kill, restart, status, env, wipe

Each command may be repeated.  The tools stop only processes that one of their pid
files names.  Installed files are in the cache (C{~/.cache/wsmsg-stack}, or
C{$WSMSG_STACK_CACHE}), the servers' data in a directory below C{/tmp}
(C{$WSMSG_STACK_DATA}, or C{--data}): nothing is in the checkout.

    __main__      the commands
    stack         the three servers together: ports, start, stop
    server        the lifecycle that all servers share
    kafka         Apache Kafka
    mongo         the server with MongoDB's protocol
    redis         Redis
    process       a process that is known by its pid file
    packages      programs from Debian, and the error if one is missing
    ports         free ports of loopback
    certificates  a certificate for tests of TLS
"""
