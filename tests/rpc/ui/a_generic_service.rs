#[fibra::service]
trait Store<T> {
    fn put(&self, value: T);
}

fn main() {}
