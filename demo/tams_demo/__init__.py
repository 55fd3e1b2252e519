"""The main job on real media: record, upload, register, read back and check, against any TAMS store."""
