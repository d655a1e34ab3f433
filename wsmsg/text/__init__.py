"""
Text for people, made fit to be shown.

::

    escape        text of others, for terminals and logs
    passwords     URLs without their passwords
"""
