#[fibra::service(name = "")]
trait Nameless {
    fn put(&self, value: u64);
}

#[fibra::service(name = "my bank")]
trait Blank {
    fn put(&self, value: u64);
}

#[fibra::service(name = bank)]
trait Unquoted {
    fn put(&self, value: u64);
}

#[fibra::service]
trait Renamed {
    #[rpc(name = "a.b")]
    fn dotted(&self);
    #[rpc(name = "put")]
    fn take(&self);
    fn put(&self);
}

fn main() {}
