"""
The daemon at the core: it accepts, numbers, stores and pushes messages.

::

    Connect -- stream --> links --> ingress --append--> journal (IJournal)
                            ^          |                   |
                            |          `--find--.          v
                            |                   v       delivery
                            |                 store <--insert--'|
                            `-------------- push ---------------'

    Connect, HTTP -- queries --> store, presence

The packages::

    ingress   from a send to a message in the log
    log       durable messages, delivered: IMessageLog; the one with a journal
    journal   the durable journal of accepted messages: IJournal; sqlite, kafka
    consent   whom users may begin to reach: contacts, and the operator's hook
    delivery  from a record to a numbered, stored and pushed message; commits
    store     messages, groups, read marks: IMessageStore; sqlite, mongo
    limits    how much users may send, store, begin and join
    links     the Connects: streams, routes, pushes, cursors, typing
    life      what became of one message, for an operator who asks
    traces    the spans of messages that are traced
    queries   reads on behalf of users, read marks
    presence  the presence of users, shared by all Messages: IPresence
    cluster   the list of Messages, and message ids
    http      the HTTP API for services
    legacy    the plug-in for peers of the legacy system

The modules::

    options      the command line
    tap          the composition of a Message
    supervisor   the composition of a Message that consists of workers
    intake       the composition of the log, the ingress, the links and the queries
    node         start, stop, reload and status of all parts
    metrics      the metrics of all parts
    rpc          the gRPC services
    query_rpc    queries in protobuf
    revoked_tokens  the times before which tokens of users are revoked
    user_tokens  what verifies the tokens of users who call the HTTP API
    backends     the table of backends, and the adapters that the settings choose
"""
