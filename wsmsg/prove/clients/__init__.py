"""
The clients of a proof, which write down what they do and see.

::

    crowd     users who talk, come and go, repeat themselves, and try what is forbidden
    ending    everything that is stored, as new devices read it
    program   a program that uses the Python client
    raw       a client of the protocol, written on the protos alone
    recorded  such a client with a history
"""
