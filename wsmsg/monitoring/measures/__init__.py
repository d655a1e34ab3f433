"""
Measures of durations, and the pages on which metrics are exposed::

    observe() ---> histogram ---> text or protobuf ---> Prometheus

exposition  pages for Prometheus, as text and as protobuf, in pieces
histogram   counts of durations in buckets that grow by a fixed factor
merged      the pages of several processes as one
process     CPU time, memory and open files of the process
stages      the stages on the way of a message
turns       the durations of the turns of the reactor
"""
