//! One party's node: takes statements, exchanges checkpoints, answers HTTP.
