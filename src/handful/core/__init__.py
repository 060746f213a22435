"""What every room stands on: records, errors, options, files. Never imports torch."""
