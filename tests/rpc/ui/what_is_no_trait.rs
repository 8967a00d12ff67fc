#[fibra::service]
struct Arithmetic;

#[fibra::service]
impl Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

fn main() {}
