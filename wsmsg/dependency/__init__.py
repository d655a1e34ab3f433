"""
The things that a daemon needs: their state, and the attempts to reach them.

A journal, a store, a presence and another daemon each have a L{state.Dependency}.
Whoever dials reports there what happens, and retries by the policy of C{retry.*}::

    KeptOpen (reopen) --attempting, failed, succeeded, lost--> Dependency (state)
        | delays: retry              log, /readyz, metrics, waiting callers: wait

alarms    conditions that an operator must look at while the daemon serves
backend   the surroundings that every backend is made in
cause     the causes of failures that an operator can remove
gather    several asynchronous calls at the same time
reopen    keeps one thing open that can be lost
response  the body of the response of another HTTP server
retry     the delays between attempts, from the settings
state     the state of one dependency
stop      a stop that may be called more than once
tls       trust in the certificate authorities of a PEM file
wait      waits for a dependency, at start and between calls
worker    a thread for calls that block
"""
