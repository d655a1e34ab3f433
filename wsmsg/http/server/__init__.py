"""
The HTTP server of all listeners, and what a connection may cost::

    connection -> CountedChannel -> BoundedRequest -> wsmsg.http.resource
                       `-> an Upgrade: a WebSocket

bodies   the memory of all bodies of requests on one listener
channel  a connection, with a time limit for the arrival of each request
proxied  a listener whose connections begin with a header of the PROXY protocol
rates    rates of requests by address
request  a request whose body is bounded
single   headers that a request has at most once
site     the server, and its limits
targets  request targets, and the interface of a part that takes connections over
"""
