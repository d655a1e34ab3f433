"""
C{wsmsg users}: what an operator does to a user who lost a device or a token.

::

    users   the commands
    times   times as an operator writes them
"""
