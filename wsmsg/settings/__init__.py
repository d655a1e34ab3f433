"""
The settings of both daemons.

::

    file, environment, options -- sources --+-- values    names, types, defaults
                                            +-- checks    what goes together
                                            `-- mistakes  all of them, told at once

C{backends}, C{addresses} and C{public_key} read what stands in a value;
C{token_key} is the key that is used where none is set; C{changes} tells what a reload
may change.
"""
