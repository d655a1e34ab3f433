"""
Text for people, made fit to be shown.

::

    counted       numbers of things
    escape        text of others, for terminals and logs
    passwords     URLs without their passwords
"""
