"""
The status page of the admin listener: what a daemon does, live, for people.

::

    metrics --each 5 s--> history --.
    health -------------------------+--> events --> page, in a browser

charts    the figures and charts of the page, by the metrics that they show
history   the last 15 minutes of the charts
events    the stream of server-sent events, to every page that is open
service   the samples, the timers and the routes
"""
