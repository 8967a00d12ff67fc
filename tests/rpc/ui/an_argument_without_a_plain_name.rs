#[fibra::service]
trait Store {
    fn put(&self, _: u64);
    fn pair(&self, (a, b): (u64, u64));
}

fn main() {}
