"""
Another topic in the place of one that is in use, as C{wsmsg journal repartition} makes.

topic_move  the steps at the brokers
"""
