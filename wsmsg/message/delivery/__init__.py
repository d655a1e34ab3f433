"""
Delivery: from the journal to the store, and on to the links.

::

    journal --read--> reader --> numbering --insert--> store
                        |            '-- dead letters
                        '--> links (push) --settled--> progress --> journal

    reader     reads batches, has them stored and pushed, and commits them
    numbering  gives messages their seqs and stores them: the decisions
    withholding  marks what is withheld from users who blocked the senders
    progress   the age of the oldest message in each step, what stands still, and the
               contiguous prefix of the journal that may be committed
"""
