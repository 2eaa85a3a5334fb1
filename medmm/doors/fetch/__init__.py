"""Studies that medmm asks for: from a PACS (C-FIND, C-GET, C-MOVE) or a DICOMweb server."""
