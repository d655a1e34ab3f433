"""
C{wsmsg token}: tokens for users, and the checks of one.

::

    check    wsmsg token check
    explain  the checks of a token, one by one
    token    wsmsg token
"""
