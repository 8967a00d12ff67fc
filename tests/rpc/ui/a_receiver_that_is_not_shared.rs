#[fibra::service]
trait Store {
    fn put(&mut self, value: u64);
    fn close(self);
    fn boxed(self: Box<Self>);
    fn open(name: String);
}

fn main() {}
