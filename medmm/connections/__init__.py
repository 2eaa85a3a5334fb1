"""How medmm speaks to other machines: certificates, and a request over HTTP in limits."""
