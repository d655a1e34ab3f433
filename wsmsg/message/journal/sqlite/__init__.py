"""
The embedded journal: a SQLite file on this machine, used by one Message.

::

    append -> SqliteJournal -> file (one commit for all that wait)
                            `-> Tail -> read
    read, when it lags <- file

    backend   makes the journal for the settings
    old       the file of an earlier version, beside an embedded store
    file      the tables, used by the journal's thread
    journal   IJournal: gathers appends, serves the reader, settles; Tail, the last
              records in memory
"""
