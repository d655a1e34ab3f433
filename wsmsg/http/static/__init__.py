"""
Static pages that ship inside the wheel: HTML, style sheets and modules, served as they
are, under a policy by which a browser loads nothing from elsewhere.

::

    folder of a package --read_files--> StaticFile --static_routes--> Route

files     the files of a page, read when the daemon starts
headers   the headers that each of them is served with
routes    the routes that serve them
"""
