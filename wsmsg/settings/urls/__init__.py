"""
Readers of the URLs in settings.

::

    address   host:port
    backends  the URLs of all backends: journal, store, presence, discovery
    dns       dns: URLs of the discovery
    extras    libraries that are not always installed
    mongo     mongodb: URLs of the store
    origins   patterns of the origins of web pages
    redis     redis: URLs
"""
