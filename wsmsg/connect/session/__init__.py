"""
Sessions: the state of each authenticated connection, without any I/O.

::

    connection --frames--> Session --sends, queries--> IUpstream
         ^                    |
         `----- outbox <------+------ registry <------ IEdge (pushes)

session     the session of one client: login, back-pressure, requests in flight, end
input       its frames
inbox       its queue of frames that wait to be processed
requests    the requests of a welcomed client: reads, marks, typing, presence
sends       its sends: messages, changes of groups, recalls
output      its replies and pushes; no push twice, and none before the welcome
outbox      its queue of frames that wait to be written; the WebSocket header
login       the way from hello to the welcome
lifecycle   its states, as a state machine
timers      timers of all sessions, served by one sweep
registry    all sessions of the node by user, and the pushes to them
head_check  the check of what was pushed, against the heads
moves       the clients that are asked to move, when and where to
checks      what sessions may be shown
watchers    which sessions watch the presence of which users
context     settings, counters and services that all sessions share
interface   the contract between a connection and its session
"""
