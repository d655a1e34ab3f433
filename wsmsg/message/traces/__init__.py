"""
Traces of messages in Message, while C{traces.endpoint} is set.

::

    ingress --append--> log --store--> numbered --push--> Connects
                |             |
          append batch    store batch   (spans of their own, linked to the messages')

    stages     makes the spans of a message on its way, and of the batches
    interface  the stages, as the other packages see them
"""
