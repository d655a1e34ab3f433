"""
The chat page, as browsers get it: C{index.html}, C{chat.css}, C{chat.js}, C{icon.svg}.

C{make pages} builds these files from C{clients/chat} and C{clients/typescript}; they
are never edited here.

chat_page  the routes that serve them
"""
