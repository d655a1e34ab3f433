"""
Settings of both daemons: names, types, defaults, sources and validation.

::

    file, environment, options -- sources -- checks --+-- values, one section a module
                                                      +-- rules, between values
                                                      `-- mistakes, all reported at once

    base        types that the sections share: Section, Seconds, Count, Networks
    checks      validation of given settings: each value, then the rules
    http        section http of Message: its HTTP API
    kafka       sections kafka and mongo of Message: its servers
    keys        settings as flat, dotted keys; those renamed, and those that changed
    legacy      section legacy of each daemon: clients and peers of the legacy system
    listeners   section tls, trust in the networks of listeners, and the rules of both
    mistakes    mistakes in settings, in words for an operator
    notes       settings that are allowed and break a promise
    public_key  public keys that tokens are verified with, and certificates
    rules       combinations that are wrong although each value is valid
    sources     files, credentials, environment and options, merged key by key
    tokens      sections token and http.token: verification of users' tokens
    upstream    sections peer, drain, life, traces and upstream: one system of daemons
    values      Common, ConnectSettings and MessageSettings
    urls        a package: readers of the URLs in settings
"""
