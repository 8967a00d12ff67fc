//! One direction of a connection: what has been written, what is on the way, what can be read.

use std::collections::VecDeque;

use crate::sim::agenda::Instant;

/// What is on the way.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) enum Flight {
    Open,
    Opened,
    Refused,
    Data(usize),
    End,
    Reset,
}

/// How far the end of a direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    NotYet,
    Wanted,
    Sent,
    Arrived,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) bytes: VecDeque<u8>,
    /// How many of them can be read.
    pub(super) arrived: usize,
    /// How many of them have been sent, those that have arrived included.
    pub(super) sent: usize,
    pub(super) flights: VecDeque<(Instant, Flight)>,
    /// Whether the arrival of the first is on the agenda, and the number of the last that was.
    pub(super) is_expected: bool,
    pub(super) expected: u32,
    /// When the last flight arrives: the next does not overtake it.
    pub(super) last: Instant,
    pub(super) ending: Ending,
    /// Written, and not known to have arrived.
    pub(super) unacknowledged: usize,
    /// When the sender learns of how many bytes; none if the answer was lost.
    pub(super) acknowledgements: VecDeque<(Option<Instant>, usize)>,
    pub(super) wants_room: bool,
    pub(super) is_room_expected: bool,
    pub(super) is_window_expected: bool,
    /// Since when, and how often, the first flight has been sent in vain.
    pub(super) stuck: Option<(Instant, u32)>,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            arrived: 0,
            sent: 0,
            flights: VecDeque::new(),
            is_expected: false,
            expected: 0,
            last: 0,
            ending: Ending::NotYet,
            unacknowledged: 0,
            acknowledgements: VecDeque::new(),
            wants_room: false,
            is_room_expected: false,
            is_window_expected: false,
            stuck: None,
        }
    }

    /// Nothing more is sent; what can be read stays.
    pub(super) fn cut(&mut self) {
        self.bytes.truncate(self.arrived);
        self.sent = self.arrived;
        self.flights.clear();
        self.stuck = None;
        self.acknowledgements.clear();
        self.unacknowledged = 0;
    }

    /// What has not been sent will not be; what is on the way will arrive.
    pub(super) fn stop(&mut self) {
        self.bytes.truncate(self.sent);
        if self.ending == Ending::Wanted {
            self.ending = Ending::NotYet;
        }
    }
}
