#[fibra::service]
trait Store {
    fn text(&self, key: &str);
    fn bytes(&self, value: &[u8]);
    fn whole(&self, map: &std::collections::HashMap<String, u64>);
    fn inside(&self, keys: Vec<&str>);
    fn returned(&self) -> &str;
}

fn main() {}
