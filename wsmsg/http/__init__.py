"""
HTTP, for the public, edge and admin listeners of both daemons.

A listener is a site with routes; each request takes this way::

    connection -> QuietSite, its limits -> Api -> Access -> Route -> Call -> Reply
                                            `-> error document

access     access control: keys, users' tokens, rates, requests in flight
changes    calls that change something, as the audit is told of them
errors     error documents, and how they are written
forms      values in requests and answers
openapi    the description of an API, generated from its routes
operators  access control of the admin listener, and its key
origins    origins of web pages
pages      refusal of requests that a browser sends for a page of another site
proxies    the address of a client behind proxies
resource   the resource that answers the requests of a listener by its routes
routes     routes, and requests and answers as they see them
server     the HTTP server, and its limits
static/    static pages that ship inside the wheel
"""
