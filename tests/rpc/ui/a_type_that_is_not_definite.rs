#[fibra::service]
trait Store {
    fn any(&self, value: impl Send);
    fn boxed(&self, value: Box<dyn Send>);
    fn same(&self) -> Self;
}

fn main() {}
