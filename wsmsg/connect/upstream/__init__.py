"""
Connect's end of the streams to the Message nodes.

::

    sessions --> upstream --> peers --> peer --> stream == Message
                    |                              |
                    |--> pending_sends, reads      `--> convert --> sessions
                    `--> choice, presence, joins

    interface      what sessions and streams need of each other
    upstream       Message as the sessions see it: the service of all streams
    peers          the Messages that discovery finds
    peer           one Message, dialled again after each loss
    endpoint       the gRPC endpoints, and the probe of a Message's kind
    stream         the protocol of one stream
    context        what all streams share, and the contract of a stream and of a plug-in
    convert        conversion of the stream's messages for the sessions
    outgoing       what waits for the next frame
    pending_sends  sends without an answer: their order, and their time limit
    send_route     one of them, the route of its conversation to a stream, and its frame
    reads          queries and marks
    reading        a package: the answers to queries
    presence       presence of watched users, merged from several Messages
    joins          barriers at which a login waits until every Message knows the user
    choice         the choice of streams: to lead, for new sends, for queries; and the
                   Messages that no stream reaches
"""
