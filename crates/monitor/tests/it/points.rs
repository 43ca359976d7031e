//! The points domain against what is obviously right: a naive evaluator, the shared vectors, random formulas and logs.
mod cases;
mod draw;
mod naive;
mod random;
mod reasons;
mod vectors;
