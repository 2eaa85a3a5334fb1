"""What happened: an append-only Merkle log (RFC 6962) with signed tree heads outside the database."""
