#[fibra::service(prefix = "kv")]
trait Store {
    fn put(&self, value: u64);
}

#[fibra::service]
trait Log {
    #[rpc(sometimes)]
    fn append(&self, line: String);
    #[rpc(idempotent, maybe)]
    fn trim(&self, lines: u64);
}

fn main() {}
