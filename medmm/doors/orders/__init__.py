"""The way in for an order system: HL7 v2 messages over MLLP."""
