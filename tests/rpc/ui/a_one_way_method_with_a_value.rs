#[fibra::service]
trait Log {
    #[rpc(maybe)]
    fn append(&self, line: String) -> u64;
}

fn main() {}
