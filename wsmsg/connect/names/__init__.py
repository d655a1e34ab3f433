"""
The names of users, where C{users.names} is set; otherwise nothing of this is loaded.

::

    session --claim, find--> user_names --NamesQuery--> Message
       |                         |
       `--frame--> codec --------+      names beside each frame
    upstream --push--> edge -----'      a push waits for the names that it needs

interface   what sessions call
user_names  the names that this node knows, and the look-ups of others
mentions    the users whom a frame or an answer mentions
codec       an encoding of frames with the names beside them
edge        the sessions, as the streams see them: pushes wait for names
"""
