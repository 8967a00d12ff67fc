use fibra::rpc::stream::{Receiver, Sender};

#[fibra::service]
trait Taps {
    fn lines(&self, lines: Receiver<&str>);
    fn borrowed(&self, lines: Sender<std::borrow::Cow<'_, str>>);
}

fn main() {}
