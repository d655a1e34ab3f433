"""
Authentication of clients by JSON Web Tokens.

identity        the user that a token identifies, and the type of authenticators
jwt             the authenticator: checks tokens by the keys of the settings
local_key       the key in the data directory, used if the settings name none
times           the times in a token: its expiry, its beginning, its issue
user_id_tokens  the tokens of a user service that names users in user_id
"""
