"""
The deployments that a proof runs on.

::

    daemons       daemons as processes, which may be killed and started again
    http          HTTP requests to the daemons
    installation  one Message and one Connect with embedded files
    cluster       several of them on servers
    servers       servers of this machine that a proof may suspend
"""
