#[fibra::service]
trait Store {
    async fn put(&self, value: u64);
    unsafe fn poke(&self, address: u64);
}

fn main() {}
