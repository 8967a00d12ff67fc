//! A connection that speaks MessagePack-RPC: each request runs beside the others, and is answered when it has ended.
//!
//! What is no message ends the connection, since nothing else could be said to its client; a request whose method or parameters are none is answered.

use std::rc::Rc;

use super::call::{Asked, Shape};
use super::input::Input;
use super::{End, Foreign, Turn};
use crate::dialect::answer::{Answer, Failure};
use crate::dialect::beside::Beside;
use crate::dialect::extent::Extent;
use crate::dialect::msgpack_rpc::{self, Malformed, Message};
use crate::scratch;
use crate::wire::failure::Code;

impl Foreign {
    /// Reads and acts on messages, until there are no more.
    pub(super) fn speak_msgpack_rpc(self: &Rc<Self>, input: &mut Input) -> Result<(), End> {
        let max = self.context.limits.frame_bytes;
        let malformed = |malformed: Malformed| End::Malformed(malformed.to_string());
        loop {
            let mut extent = Extent::new();
            let end = loop {
                if let Some(end) = msgpack_rpc::end(&mut extent, input.bytes(), max).map_err(malformed)? {
                    break end;
                }
                let is_between = input.bytes().is_empty();
                if !self.read(input, None)? {
                    let cut = || End::Malformed("the connection ends within a message".to_owned());
                    return if is_between { Ok(()) } else { Err(cut()) };
                }
            };
            let read_at = input.read_at();
            let message = input.take(end);
            match msgpack_rpc::parse(&message) {
                Ok(_) => self.begin(message, read_at, act),
                Err(Malformed::Call { id: Some(id) }) => {
                    let complaint = Malformed::Call { id: None }.to_string();
                    self.respond(id, &Failure::new(Code::BadArguments, complaint).into());
                }
                Err(reason) => return Err(malformed(reason)),
            }
            self.wait_for_room()?;
        }
    }

    fn respond(&self, id: u32, answer: &Answer) {
        let mut out = scratch::take();
        msgpack_rpc::respond(&mut out, id, answer);
        self.queue(out);
    }
}

fn act(connection: &Rc<Foreign>, message: &[u8], turn: Turn) {
    // It was one when it was read.
    let Ok(message) = msgpack_rpc::parse(message) else { return };
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (Some(id), method, params),
        Message::Notification { method, params } => (None, method, params),
    };
    let asked = Asked {
        method: &String::from_utf8_lossy(method),
        params: params.to_vec(),
        shape: Shape::Plain,
        one_way: id.is_none(),
        beside: Beside::default(),
    };
    if let Some(answer) = connection.call(asked, turn)
        && let Some(id) = id
    {
        connection.respond(id, &answer);
    }
}
