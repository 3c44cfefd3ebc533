"""What a host lacks, or will lack soon: each finding with its remedy."""
