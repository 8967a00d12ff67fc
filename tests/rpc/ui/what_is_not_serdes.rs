use serde::{Deserialize, Serialize};

struct Secret;

#[derive(Serialize, Deserialize)]
struct Known;

#[fibra::service]
trait Safe {
    fn put(&self, number: u64, secret: Secret, known: Known);
    fn get(&self, number: u64) -> Secret;
    fn open(&self, number: u64) -> Result<Known, Secret>;
}

fn main() {}
