"""What a detector learns from synthetic nodules, measured on real ones: ``nodegen utility``."""
