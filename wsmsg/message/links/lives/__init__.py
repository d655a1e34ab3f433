"""
The passing facts of messages at this Message and its Connects.

lives  notes what is stored and pushed, and asks the Connects
"""
