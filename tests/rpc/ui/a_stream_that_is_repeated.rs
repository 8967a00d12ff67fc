use fibra::rpc::stream::{Receiver, Sender};

#[fibra::service]
trait Taps {
    #[rpc(idempotent)]
    fn sum(&self, numbers: Receiver<i64>) -> i64;
    #[rpc(maybe)]
    fn watch(&self, numbers: Sender<i64>);
    #[rpc(ordered)]
    fn count(&self, numbers: Sender<i64>);
}

fn main() {}
