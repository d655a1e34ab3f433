"""
The life of one message, put together when an operator asks: what is durable, and what
the nodes remember.

::

    Lives --> store, dead letters            durable: derived
        |---> ConnectLives --> Connects      passing: from the ring of each node
        `---> OtherMessages --> Messages
                    |
              stages_of, notes_of            decide what is known

interface  the question and the answer, as other packages use them
lives      finds the message, and asks all nodes
others     asks the other Messages
stages     the stages that facts and cursors show, and what is not known
"""
