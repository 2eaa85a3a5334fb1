"""How medmm speaks to other machines: certificates, and one request over HTTP within limits."""
