"""
The C{wsmsg} command.  The module of a command is imported when the command runs.

::

    check_config  wsmsg check-config
    dead_letters  wsmsg dead-letters
    drain         wsmsg drain and wsmsg rebalance
    export        wsmsg export
    groups        wsmsg groups
    import_       wsmsg import
    main          the group of commands, its overview, and wsmsg completion
    paths         default addresses, settings and data directory; failures
    say           the output of all commands
    sign          signing of tokens
    status        wsmsg status
    store         wsmsg store
    transfer      options and progress lines of export and import
    user_options  options that say who the user is and where daemons are; their types
    bench         a package: wsmsg bench
    chat          a package: wsmsg chat
    demo          a package: wsmsg demo
    doctor        a package: wsmsg doctor
    journal       a package: wsmsg journal
    key           a package: wsmsg key
    operator      a package: calls of an admin listener that need its key
    people        a package: wsmsg blocks
    prove         a package: wsmsg prove
    token         a package: wsmsg token
    users         a package: wsmsg users
    where         a package: wsmsg where
"""
