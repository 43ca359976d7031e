//! A small world of nodes: seed in, same story out.
