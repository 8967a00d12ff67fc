#[fibra::service]
trait Store {
    fn put(&self, value: u64) -> std::io::Result<u64>;
}

fn main() {}
