use fibra::rpc::stream::{Receiver, Sender};

#[fibra::service]
trait Taps {
    fn two(&self, one: Receiver<i64>, other: Receiver<i64>);
    fn many(&self, all: Vec<Sender<i64>>);
    fn back(&self) -> Receiver<i64>;
    fn of_streams(&self, streams: Receiver<Sender<i64>>);
    fn no_item(&self, items: Sender<>);
}

fn main() {}
