"""
The links to Connects: which users each Connect has, and the frames that wait for it.

::

    Connect == stream == Link --> Routes, Leases, CursorWriter, Ingress
                          ^
    JournalReader --> Links.push

cursors         the way of cursors into the store
interface       what other packages use
leases          the presence of users, written by the primary of their Connect
link            one Connect: its stream and its limits
links           all links: streams, grace time, pushes
output          the two parts of a frame: what Connect acknowledges, and what is never
                replayed
reach           the Connects and Messages without a stream between them
recipients      the recipients of a message; members of groups, cached
routes          the nodes that reach each user
slow            the Connects that do not keep up with their pushes
snapshot        the list of all users of a Connect, in parts
stream          the gRPC stream that carries a link
typing          typing, on its way to the others
lives           a package: the passing facts of messages, noted and asked for
users           the users at each Connect, as Connect reports them; who watches whom
"""
