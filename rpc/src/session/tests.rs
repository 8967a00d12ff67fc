//! What a session promises, over a network that loses, repeats and reorders; and one case at a time.

mod cases;
mod network;
mod tables;
