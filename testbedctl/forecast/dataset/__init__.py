"""Data sets: public traces and our own telemetry, as Parquet with a manifest."""
