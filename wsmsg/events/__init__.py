"""
Event kinds: messages that the server makes because a client asks for a change.

An event is a message in the conversation that it changes, with a seq of its own, so it
is durable, ordered and delivered like any message.  Its kind is 1000 or above, and its
content says what changes.  Each kind is one module, with all that Connect, Message and
the client must agree on::

    frame --from_frame--> content --validate, judge--> journal --> store: apply
      Connect                        Message             |
                                                         '--> client: received

    table         the table of all event kinds, by number
    kind          a row of the table, and what Message lends to its judgement
    group_change  a group is created, or its members change
    recall        a sender recalls a message

The stores apply events by a table of their own (C{events} of each store), and the
client turns them into values for a program (L{wsmsg.client.state.events}).
"""
