#[fibra::service]
trait Accounts {
    #[rpc(ordered, idempotent)]
    fn balance(&self) -> u64;
    #[rpc(maybe, ordered)]
    fn note(&self, line: String);
    #[rpc(ordered = "a b")]
    fn deposit(&self, cents: u64);
    #[rpc(ordered, ordered = "accounts")]
    fn withdraw(&self, cents: u64);
    #[rpc(ordered = 7)]
    fn close(&self);
}

fn main() {}
