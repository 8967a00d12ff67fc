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

fn main() {}
