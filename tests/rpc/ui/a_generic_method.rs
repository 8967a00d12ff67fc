#[fibra::service]
trait Store {
    fn put<T>(&self, value: T);
    fn first<'a>(&self, text: String) -> String;
}

fn main() {}
