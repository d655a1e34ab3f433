"""
Health, metrics and logs of a daemon, and the admin listener that shows them::

    dependencies ---> health ---> /readyz, /status, gRPC health
    counters -------> metrics --> /metrics
    events ---------> logs -----> file, stdout or syslog

admin         the admin listener: health, metrics and status over HTTP
audit         the audit: a line for each call of HTTP that changes something
certificates  an alarm before a certificate of the daemon expires
counters      the base of records of counters
grpc_health   the standard gRPC health service
health        the readiness of the daemon
measures/     histograms of durations, and the pages for Prometheus
log_file      the file of a log, which starts anew when it is large
log_writer    writers that drop and count what the destination of a log does not take
logs          observers that write log events as text or JSON
metrics       counters, gauges and histograms for Prometheus
nodes         the other nodes of the system, as a daemon knows them
repeats       lines that others can cause, gathered
status/       the status page of the admin listener
stdlib_logs   forwards records of the standard library's logging to Twisted's log
vitals        the version, the readiness and the turns of a daemon
words         the state of a daemon in words
"""
