"""What happened: an append-only Merkle log (RFC 6962), tree heads signed and kept outside.

They are kept outside the database.
"""
