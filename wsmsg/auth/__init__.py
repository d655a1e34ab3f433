"""
Authentication of clients by JSON Web Tokens, and of services by API keys.

api_keys        API keys: their names, scopes, addresses and hashes
key_file        the file with the API keys
scopes          what the bearer of an API key may do
identity        the user that a token identifies, and the type of authenticators
jwt             the authenticator: checks tokens by the keys of the settings
hs256           the quick way for the usual token
issuer          the keys of an issuer: fetched, kept, and fetched again
key_set         the format of key sets
fetch           fetches of a key set, from a URL or a file
fetched         the keys of an issuer, fetched once for a command
private_key     a private key of an issuer, for commands that sign
local_key       the key in the data directory, used if the settings name none
reread          files with keys and certificates that a reload reads again
times           the times in a token: its expiry, its beginning, its issue
user_id_tokens  the tokens of a user service that names users in user_id
"""
