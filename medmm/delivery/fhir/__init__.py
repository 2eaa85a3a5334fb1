"""A signed report as FHIR R4, and how it finds patient and order on a server."""
