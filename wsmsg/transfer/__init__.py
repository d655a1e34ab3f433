"""
Moving a store: to a file of JSON lines, and from it into any other store.

::

    store --walk--> records --lines--> file --lines--> records --keeping--> store
                                                          `----comparing---> store

"""
