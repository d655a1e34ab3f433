"""
The daemon at the core: it accepts, numbers, stores and pushes messages.

::

    Connect == stream --> ingress --append--> IJournal --> reading
                  ^          `--find--.                       |
                  |                   v                    delivery
                links <-- routes    IMessageStore <--insert--'
                  `--- settling --commit--> IJournal

The way of a message
    ingress             from a send to a durable record; message_ids
    reading             from the journal to the recipients, a batch at a time
    delivery            numbers and stores
    links, link         who is connected where, and what each has not acknowledged
    routes              user to streams
    settling            what may be committed

What clients ask beside it
    queries, cursors    pages, heads, presence; how far users are

Wires
    rpc, stream, web    gRPC, one stream of it, HTTP; dead_letters for the command

Backends
    interfaces          IJournal, IMessageStore, IPresence
    journal_sqlite      the embedded journal; journal_file, records
    store_sqlite        the embedded store; store_file, sqlite_rows
    presence_memory     presence in this process
    sqlite, worker      a file that one process owns; a thread that is asked for
    reopening           batches; opening again what broke

The whole
    tap, service        the options and the tree; stop, reload, tell
"""
