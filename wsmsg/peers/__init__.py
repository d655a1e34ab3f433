"""
The proof that two daemons give each other before they say anything else.

::

    dialler --Prove(nonce)------------------> listener
            <--its nonce, its proof----------
            --a call, with the dialler's proof-->        (checked by the guard)
            <--the answer, with a proof of it---         (checked by the channel)

    secrets    the secrets that the daemons share, and what is computed with them
    identity   the secrets of this daemon: from the settings, or a file of this machine
    callers    the callers that have proven themselves to a listener
    guard      the check of every call to a listener
    refusals   the count and the log of calls that were refused
    channel    a channel to a peer that has proven itself
    tls        TLS of gRPC: the certificate of a listener, the trust of a dialler
    parts      all of this for one daemon
"""
