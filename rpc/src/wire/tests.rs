//! Properties of the wire: what holds for every frame, every split of the stream, and any bytes at all.

mod bodies;
mod frames;
mod malformed;
mod random;
