"""
Export and import: a store as a file of JSON lines, and from it into any other store.

::

    store --dump--> records --file--> JSON lines --file--> records --load----> store
                                                              `------verify--> store

    dump        reads a store as records, in batches of bounded size
    records     the types of the lines of a file
    file        writes and reads the file; counts and hashes
    load        writes records into a store
    verify      compares a store with a file
    stores      the stores of the commands, by the settings of a Message
    retrying    repeats calls to a store that is away for a while
"""
