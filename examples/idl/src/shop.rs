//! The shop itself: what a service of a `.proto` file is on the inside. Nothing here knows of protobuf, but for its types.

use std::collections::BTreeMap;

use fibra::proto::{Duration, Empty, Timestamp};
use fibra::rpc::stream::Sender;
use fibra::sync::Mutex;

use crate::api::shop::v1::step::Place;
use crate::api::shop::v1::{Order, Orders, Praise, Receipt, Refusal, Step, Stocks, refusal};

/// The day on which all orders are placed: its clock stands still.
const TODAY: Timestamp = Timestamp { seconds: 1_767_225_600, nanos: 0 }; // 2026-01-01
const SECONDS_PER_HOUR: i64 = 3_600;

/// A shop with a few things.
pub(crate) struct Shop {
    state: Mutex<State>,
}

struct State {
    stock: BTreeMap<String, u32>,
    orders: u64,
    praise: Vec<String>,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let stock = [("chair", 4), ("lamp", 30)].map(|(item, count)| (item.to_owned(), count));
        Self { state: Mutex::new(State { stock: stock.into(), orders: 0, praise: Vec::new() }) }
    }
}

impl Orders for Shop {
    fn stock(&self) -> Result<Stocks, Refusal> {
        Ok(Stocks { items: self.state.lock().stock.clone() })
    }

    fn place(&self, request: Order) -> Result<Receipt, Refusal> {
        if request.payment.is_none() {
            return Err(refuse(refusal::Reason::Unpaid(Empty {})));
        }
        let mut state = self.state.lock();
        let Some(left) = state.stock.get_mut(&request.item) else {
            return Err(refuse(refusal::Reason::Unknown(request.item)));
        };
        *left = left.checked_sub(request.count).ok_or_else(|| refuse(refusal::Reason::Left(*left)))?;
        state.orders += 1;
        let due = Timestamp { seconds: TODAY.seconds + 24 * SECONDS_PER_HOUR, ..TODAY };
        Ok(Receipt { number: state.orders, due: Some(due) })
    }

    fn track(&self, request: Receipt, replies: Sender<Step>) -> Result<(), Refusal> {
        if !(1..=self.state.lock().orders).contains(&request.number) {
            return Err(refuse(refusal::Reason::Unknown(format!("order {}", request.number))));
        }
        for (hours, place) in [(1, Place::Packed), (8, Place::OnTheRoad), (24, Place::Delivered)] {
            let after = Duration { seconds: hours * SECONDS_PER_HOUR, nanos: 0 };
            // An error says that nobody listens any more.
            if replies.send(Step { place: place.into(), after: Some(after) }).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn praise(&self, request: Praise) {
        self.state.lock().praise.push(request.text);
    }
}

fn refuse(reason: refusal::Reason) -> Refusal {
    Refusal { reason: Some(reason) }
}
