//! A connection that speaks JSON-RPC: each message runs beside the others, and so do the requests of a batch.
//!
//! Messages are objects and arrays, one behind the other, with or without line ends between them, and answers are a line each; or, as language servers have it, all with
//! their length before them. Where a message ends that is no JSON nobody knows: its client is told, and its connection ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra_scheduler::in_fiber;
use fibra_scheduler::sync::WaitGroup;

use super::call::{Asked, Shape};
use super::input::Input;
use super::{End, Foreign, Room, Turn, UnderWay, WaitsForTurn};
use crate::dialect::Dialect;
use crate::dialect::answer::Failure;
use crate::dialect::beside::Beside;
use crate::dialect::json::extent::{Extent, blanks};
use crate::dialect::json::to_msgpack;
use crate::dialect::json_rpc::request::{self, Invalid, Message, Version};
use crate::dialect::json_rpc::{framing, response};
use crate::scratch;
use crate::server::roster::Task;
use crate::wire::failure::Code;

/// Which versions are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Those that the port speaks over TCP.
    OverTcp,
    /// 2.0.
    Two,
}

impl Foreign {
    /// Reads and acts on messages, until there are no more.
    pub(super) fn speak_json_rpc(self: &Rc<Self>, input: &mut Input) -> Result<(), End> {
        loop {
            let Some(end) = self.next_json(input)? else { return Ok(()) };
            let read_at = input.read_at();
            self.begin(input.take(end), read_at, |connection, message, turn| {
                connection.queue(terminated(connection.answer_json(message, Taken::OverTcp, &Beside::default(), turn)));
            });
            self.wait_for_room()?;
        }
    }

    /// The length of the message that the input begins with; `None`: there are no more.
    fn next_json(&self, input: &mut Input) -> Result<Option<usize>, End> {
        let max = self.context.limits.frame_bytes;
        let mut extent = Extent::new();
        let mut is_between = true;
        loop {
            if is_between {
                input.skip_blanks(blanks(input.bytes()));
                is_between = input.bytes().is_empty();
            }
            if !is_between {
                match extent.look(input.bytes()) {
                    Ok(Some(end)) if end <= max => return Ok(Some(end)),
                    Ok(None) if input.bytes().len() <= max => {}
                    Ok(_) => return Err(told(&too_large(), format!("a message is longer than {max} bytes"))),
                    Err(malformed) => return Err(told(&Invalid::Parse, malformed.to_string())),
                }
            }
            if !self.read(input, None)? {
                if is_between {
                    return Ok(None);
                }
                return Err(told(&Invalid::Parse, "the connection ends within a message".to_owned()));
            }
        }
    }

    /// As [`speak_json_rpc`](Self::speak_json_rpc), of messages with their length before them.
    pub(super) fn speak_content_length(self: &Rc<Self>, input: &mut Input) -> Result<(), End> {
        let max = self.context.limits.frame_bytes;
        loop {
            let head = loop {
                match framing::read(input.bytes(), max) {
                    Ok(Some(head)) if input.bytes().len() >= head.start + head.len => break head,
                    Ok(_) => {}
                    // Nothing could be said of it in a message that has its length.
                    Err(malformed) => return Err(End::Malformed(malformed.to_string())),
                }
                let is_between = input.bytes().is_empty();
                if !self.read(input, None)? {
                    let cut = || End::Malformed("the connection ends within a message".to_owned());
                    return if is_between { Ok(()) } else { Err(cut()) };
                }
            };
            let read_at = input.read_at();
            input.skip(head.start);
            self.begin(input.take(head.len), read_at, |connection, message, turn| {
                let answer = connection.answer_json(message, Taken::Two, &Beside::default(), turn);
                connection.queue(if answer.is_empty() { answer } else { framing::frame(&answer) });
            });
            self.wait_for_room()?;
        }
    }

    /// What a message is answered with; nothing, if nobody awaits an answer.
    pub(super) fn answer_json(self: &Rc<Self>, message: &[u8], taken: Taken, outer: &Beside, turn: Turn) -> Vec<u8> {
        match request::parse(message) {
            Ok(Message::Single(text)) => self.answer_request(text, (taken, false), outer.clone(), turn),
            Ok(Message::Batch(requests)) => {
                let requests = requests.iter().map(|request| request.get().to_owned());
                self.answer_batch(requests.collect(), taken, outer, turn)
            }
            Err(invalid) => invalid_response(&invalid),
        }
    }

    /// Runs the requests of a batch, on as many fibers as there may be, and gathers what they are answered with.
    fn answer_batch(self: &Rc<Self>, requests: Vec<String>, taken: Taken, outer: &Beside, turn: Turn) -> Vec<u8> {
        let answers = Rc::new(RefCell::new(vec![Vec::new(); requests.len()]));
        // Together they are one message, with the limit of one.
        let room = Rc::new(Cell::new(self.context.limits.frame_bytes));
        let group = WaitGroup::new();
        let last = requests.len().saturating_sub(1);
        for (index, request) in requests.into_iter().enumerate() {
            let (connection, answers, member) = (Rc::clone(self), Rc::clone(&answers), group.clone());
            let room = Rc::clone(&room);
            let beside = outer.of_part(index);
            let run = move || {
                let mut answer = connection.answer_request(&request, (taken, true), beside, turn);
                if answer.len() > room.get() {
                    answer = no_room_response(&request);
                }
                room.set(room.get().saturating_sub(answer.len()));
                if let Some(place) = answers.borrow_mut().get_mut(index) {
                    *place = answer;
                }
                drop(member);
            };
            let has_room = self.under_way.get() < self.context.limits.in_flight && turn.room == Room::Some;
            if index == last || !has_room || !in_fiber() {
                run();
            } else {
                self.run_beside(run);
            }
        }
        if group.wait().is_err() {
            // The connection is over.
            return Vec::new();
        }
        let answers = answers.take();
        let mut out = scratch::take();
        for answer in answers.iter().filter(|answer| !answer.is_empty()) {
            out.push(if out.is_empty() { b'[' } else { b',' });
            out.extend_from_slice(answer);
        }
        if !out.is_empty() {
            out.push(b']');
        }
        out
    }

    /// Has a fiber run it; the calling one, if there is none to be had.
    fn run_beside(self: &Rc<Self>, run: impl FnOnce() + 'static) {
        let (under_way, waiting) = (UnderWay::begin(self), WaitsForTurn::begin(self));
        let slot = Rc::new(RefCell::new(Some(run)));
        let taken = Rc::clone(&slot);
        let spawned = fibra_scheduler::Builder::new().spawn_local(move || {
            drop(waiting);
            let _under_way = under_way;
            let run = taken.borrow_mut().take();
            run.into_iter().for_each(|run| run());
        });
        match spawned {
            Ok(fiber) => self.seat.add(0, Task::Fiber(fiber)),
            Err(_) => {
                let run = slot.borrow_mut().take();
                run.into_iter().for_each(|run| run());
            }
        }
    }

    fn answer_request(&self, text: &str, (taken, in_batch): (Taken, bool), outer: Beside, turn: Turn) -> Vec<u8> {
        let request = match request::read(text, in_batch) {
            Ok(request) if self.takes(taken, request.version) => request,
            Ok(request) => return invalid_response(&Invalid::Request { id: request.id }),
            Err(invalid) => return invalid_response(&invalid),
        };
        let answer = match self.asked(&request, outer) {
            Ok(asked) => self.call(asked, turn),
            Err(complaint) => Some(Failure::new(Code::BadArguments, complaint).into()),
        };
        let mut out = scratch::take();
        if let (Some(id), Some(answer)) = (request.id, &answer) {
            response::respond(&mut out, request.version, id, answer);
        }
        out
    }

    /// Whether requests of that version are taken.
    fn takes(&self, taken: Taken, version: Version) -> bool {
        let dialects = self.context.dialects;
        match (taken, version) {
            (Taken::OverTcp, Version::One) => dialects.has(Dialect::GoJsonRpc),
            (Taken::OverTcp, Version::Two) => dialects.has(Dialect::JsonRpc),
            (Taken::Two, version) => version == Version::Two,
        }
    }

    fn asked<'a>(&self, request: &'a request::Request<'_>, outer: Beside) -> Result<Asked<'a>, String> {
        Ok(Asked {
            method: &request.method,
            params: match request.params {
                Some(params) => to_msgpack(params).map_err(|error| error.to_string())?,
                None => Vec::new(),
            },
            shape: if request.version == Version::One { Shape::OneParam } else { Shape::Plain },
            one_way: request.id.is_none(),
            beside: match request.beside {
                Some(member) => outer.and_member(member)?,
                None => outer,
            },
        })
    }
}

/// The client is told what is wrong.
fn told(invalid: &Invalid<'_>, reason: String) -> End {
    End::Told { answer: terminated(invalid_response(invalid)), reason }
}

fn too_large<'a>() -> Invalid<'a> {
    Invalid::Request { id: None }
}

fn invalid_response(invalid: &Invalid<'_>) -> Vec<u8> {
    let mut out = scratch::take();
    response::respond_invalid(&mut out, invalid);
    out
}

/// Instead of the answer to a request of a batch, if the others take all the room.
fn no_room_response(request: &str) -> Vec<u8> {
    let failure = Failure::new(Code::ReplyTooLarge, "the answers of its batch are over the server's limit together");
    let mut out = Vec::new();
    if let Ok(request::Request { id: Some(id), version, .. }) = request::read(request, true) {
        response::respond(&mut out, version, id, &failure.into());
    }
    out
}

/// A line of its own, if there is anything.
fn terminated(mut answer: Vec<u8>) -> Vec<u8> {
    if !answer.is_empty() {
        answer.push(b'\n');
    }
    answer
}
