#[fibra::service]
trait Store {
    fn connect(&self, name: String);
    const LIMIT: u64;
    fn start(&self);
    fn within(&self, seconds: u64);
}

fn main() {}
