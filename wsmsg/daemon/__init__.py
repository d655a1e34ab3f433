"""
The process around the parts of a daemon: options, start, signals, reload, stop.

::

    twistd -- options -- app -- lifecycle --+-- the daemon's parts, in their order
                                 |          `-- signals, systemd, admin listener
                                 `-- preflight, exits, reload

    app          Daemon: what both daemons have around their own parts
    complaints   lines on stderr before there is a log
    exits        exit status of the process
    first_lines  the first lines of the log
    lead         time between the end of readiness and the stop
    lifecycle    start and stop of the parts, each in a written order
    listener     TCP listener
    options      command line, and the settings it leads to
    pid_file     names of twistd's pid file and log; pid files left behind
    preflight    checks before twistd forks
    reactor      installation of the asyncio reactor
    reload       reload of the settings while the daemon runs
    signals      SIGTERM, SIGINT, SIGHUP, SIGUSR1
    systemd      readiness, status and watchdog, reported to systemd
    tls          TLS on the listeners that Twisted serves
    worker/      one of several processes of a daemon, as it sees itself
    supervisor/  the process that starts these

A tap names its settings in a subclass of L{wsmsg.daemon.options.DaemonOptions} and
hands its parts to a L{wsmsg.daemon.app.Daemon}.
"""
