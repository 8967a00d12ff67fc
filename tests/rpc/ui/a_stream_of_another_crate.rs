use std::sync::mpsc::Receiver;

#[fibra::service]
trait Taps {
    fn sum(&self, numbers: Receiver<i64>) -> i64;
}

fn main() {}
