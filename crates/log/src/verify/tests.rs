//! Whole directories, right and damaged.
