"""A signed report as an HL7 v2.5.1 message (ORU^R01), and how it is sent (MLLP)."""
