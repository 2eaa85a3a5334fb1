"""What DICOM files state: header, pixels, geometry, anatomy, patient, time."""
