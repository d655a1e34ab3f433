"""
Delivery: to the store, and on to the links.

::

    journal --read--> reader --> numbering --insert--> store
                        |            '-- dead letters
                        '--> links (push) --settled--> progress --> journal

    ingress --add--> store_log --> numbering --insert--> store
                        '--> answers, and links (push)

    reader     reads batches of a journal, has them stored and pushed, and commits them
    store_log  the log without a journal: stores what is added, answers and pushes it
    old_journal  the journal of an earlier version, drained beside such a log
    numbering  gives messages their seqs and stores them: the decisions
    withholding  marks what is withheld from users who blocked the senders
    progress   the age of the oldest message in each step, what stands still, the pushes
               of what is stored, and the contiguous prefix of a journal that may be
               committed
"""
