"""
Checks of an installation, C{wsmsg doctor}.

::

    backends  checks of the servers that a settings file names
    checks    checks of Python, libraries, folder, disk, clock and daemons
    key_sets  the check of the key sets that a settings file names
    remedies  the remedies for dependencies that are not up
    doctor    the command
"""
