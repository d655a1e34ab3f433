"""
Discovery of the addresses of Message nodes.

::

    setting "discovery" --> interface.discovery_of --> static | dns | redis
                                                          `--> addresses --> upstream

    interface  the contract of a discovery, and the choice by URL
    static     addresses that the settings list
    dns        addresses of a host or a service in the DNS
    redis      addresses that Messages put into a list in Redis
    reach      the Messages in that list that no stream reaches
    ways       the way to each Message: direct, or through another one
"""
