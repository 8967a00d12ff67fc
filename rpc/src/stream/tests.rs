mod cases;
mod network;
