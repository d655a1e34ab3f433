"""
Kafka, a server with MongoDB's protocol, and Redis on loopback, without containers::

    python -m tools.stack install     whatever is missing, into the cache
    python -m tools.stack up          start, wait until a client's operation succeeded
    python -m tools.stack down        end what was started
    python -m tools.stack --help      kill, restart, status, env, wipe

Every command may be given again.  Only processes that a pid file of ours names are
ended.  What is installed is in the cache (C{~/.cache/wsmsg-stack}, or
C{$WSMSG_STACK_CACHE}), what the servers keep in a folder below C{/tmp}
(C{$WSMSG_STACK_DATA}, or C{--data}): nothing is in the checkout.

  - C{__main__}: the commands
  - C{stack}: the three together: ports, start, stop
  - C{server}: the life of any server; C{kafka}, C{mongo}, C{redis}: the three kinds
  - C{process}: a process known by its pid file
  - C{packages}: programs from Debian, and what to say where they are missing
  - C{certificates}: a certificate for tests of TLS
"""
