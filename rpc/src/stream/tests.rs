mod cases;
mod duplex;
mod network;
