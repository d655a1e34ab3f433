"""
The proof, C{wsmsg prove}: clients and faults write a history, and a checker that shares
no code with the server decides from it whether the promises held.

::

    checker  decides from a history; the standard library alone
    history  writes and reads histories; describes their lines
    plant    plants violations, which the checker has to find
    report   the result, as JSON and as text
    campaign    a package: one run, and what it needs to know of a deployment
    clients     a package: users who write down what they do and see
    deployment  a package: daemons and servers
    faults      a package: what goes wrong
"""

import os

# A run forks while its own gRPC threads are busy.  The hooks of gRPC, which is imported
# later, would end a daemon between fork and exec then.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
