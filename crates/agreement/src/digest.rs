//! The digest of a judgment: a Merkle tree that two nodes compare branch by branch.
