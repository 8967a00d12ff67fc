use fibra::rpc::stream::{Receiver, Sender};

struct Secret;

#[fibra::service]
trait Taps {
    fn take(&self, secrets: Receiver<Secret>);
    fn tell(&self, secrets: Sender<Secret>);
}

struct Impl;

impl Taps for Impl {
    fn take(&self, mut secrets: Receiver<Secret>) {
        let _ = secrets.recv();
    }

    fn tell(&self, secrets: Sender<Secret>) {
        let _ = secrets.send(Secret);
    }
}

fn main() {}
