//! Where a table has its clients: in one vector, found by their ids, and each in one of the table's lists.
//!
//! There may be a million of them. So they refer to each other by numbers of four bytes, and the index holds nothing but these: linear
//! probing, by a hash whose key nobody knows.
//!
//! Invariants:
//! * A place that is taken is in the index and in exactly one list; one that is vacant is in the list of those.
//! * At most three quarters of the index are used, so that every search ends.

use std::hash::{BuildHasher, RandomState};

use super::ClientId;

/// The number of a client's place in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(u32);

impl At {
    const NONE: Self = Self(u32::MAX);

    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Places<T> {
    places: Vec<Place<T>>,
    vacant: List,
    /// As many as a power of two, or none.
    index: Vec<At>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Place<T> {
    id: ClientId,
    content: T,
    before: At,
    behind: At,
}

/// Places in an order.
#[derive(Debug)]
pub(super) struct List {
    first: At,
    last: At,
    len: usize,
}

impl List {
    pub(super) fn new() -> Self {
        Self { first: At::NONE, last: At::NONE, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn first(&self) -> Option<At> {
        self.first.some()
    }
}

impl<T> Places<T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), vacant: List::new(), index: Vec::new(), hasher: RandomState::new() }
    }

    /// What is in a place; perhaps it has been given up.
    pub(super) fn get(&self, at: At) -> &T {
        &self.places[at.index()].content
    }

    pub(super) fn get_mut(&mut self, at: At) -> &mut T {
        &mut self.places[at.index()].content
    }

    /// The next in the list of this one.
    fn next(&self, at: At) -> Option<At> {
        self.places[at.index()].behind.some()
    }

    pub(super) fn find(&self, id: ClientId) -> Option<At> {
        if self.index.is_empty() {
            return None;
        }
        let mut slot = self.home(id);
        while let Some(at) = self.index[slot].some() {
            if self.places[at.index()].id == id {
                return Some(at);
            }
            slot = self.behind(slot);
        }
        None
    }

    /// Takes a place, at the end of `list`, for a client that has none. `None`: there are four billion.
    pub(super) fn insert(&mut self, id: ClientId, content: T, list: &mut List) -> Option<At> {
        let at = match self.vacant.first() {
            Some(at) => {
                let mut vacant = std::mem::replace(&mut self.vacant, List::new());
                self.unlink(&mut vacant, at);
                self.vacant = vacant;
                let place = &mut self.places[at.index()];
                (place.id, place.content) = (id, content);
                at
            }
            None => {
                let at = At(u32::try_from(self.places.len()).ok()?).some()?;
                self.places.push(Place { id, content, before: At::NONE, behind: At::NONE });
                at
            }
        };
        self.append(list, at);
        let taken = self.places.len() - self.vacant.len();
        if taken > self.index.len() / 4 * 3 {
            self.grow();
        } else {
            self.enter(at);
        }
        Some(at)
    }

    /// Gives up a place of `list`. What is in it stays until it is taken again.
    pub(super) fn remove(&mut self, list: &mut List, at: At) {
        let mut hole = self.home(self.places[at.index()].id);
        while self.index[hole] != at {
            hole = self.behind(hole);
        }
        // Whatever comes next and would not be found behind a hole fills it.
        let mut slot = self.behind(hole);
        while let Some(other) = self.index[slot].some() {
            let home = self.home(self.places[other.index()].id);
            if self.distance(home, slot) >= self.distance(hole, slot) {
                self.index[hole] = other;
                hole = slot;
            }
            slot = self.behind(slot);
        }
        self.index[hole] = At::NONE;
        self.unlink(list, at);
        let mut vacant = std::mem::replace(&mut self.vacant, List::new());
        self.append(&mut vacant, at);
        self.vacant = vacant;
    }

    /// Puts a place of `list` at its end.
    pub(super) fn put_last(&mut self, list: &mut List, at: At) {
        if list.last != at {
            self.unlink(list, at);
            self.append(list, at);
        }
    }

    /// Puts a place of `from` at the end of `to`.
    pub(super) fn transfer(&mut self, from: &mut List, to: &mut List, at: At) {
        self.unlink(from, at);
        self.append(to, at);
    }

    fn append(&mut self, list: &mut List, at: At) {
        let place = &mut self.places[at.index()];
        (place.before, place.behind) = (list.last, At::NONE);
        match list.last.some() {
            Some(last) => self.places[last.index()].behind = at,
            None => list.first = at,
        }
        list.last = at;
        list.len += 1;
    }

    fn unlink(&mut self, list: &mut List, at: At) {
        let &Place { before, behind, .. } = &self.places[at.index()];
        match before.some() {
            Some(before) => self.places[before.index()].behind = behind,
            None => list.first = behind,
        }
        match behind.some() {
            Some(behind) => self.places[behind.index()].before = before,
            None => list.last = before,
        }
        list.len -= 1;
    }

    /// Twice the index, with all that are in it and the one that was taken last.
    fn grow(&mut self) {
        let len = (self.index.len() * 2).max(8);
        self.index = vec![At::NONE; len];
        let mut is_vacant = vec![false; self.places.len()];
        let mut vacant = self.vacant.first();
        while let Some(at) = vacant {
            is_vacant[at.index()] = true;
            vacant = self.next(at);
        }
        for at in (0..).map(At).zip(is_vacant).filter_map(|(at, is_vacant)| (!is_vacant).then_some(at)) {
            self.enter(at);
        }
    }

    fn enter(&mut self, at: At) {
        let mut slot = self.home(self.places[at.index()].id);
        while self.index[slot] != At::NONE {
            slot = self.behind(slot);
        }
        self.index[slot] = at;
    }

    /// Where in the index to begin to look.
    fn home(&self, id: ClientId) -> usize {
        self.hasher.hash_one(id) as usize & (self.index.len() - 1)
    }

    fn behind(&self, slot: usize) -> usize {
        (slot + 1) & (self.index.len() - 1)
    }

    /// How far it is on from one slot to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.index.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id(client: u8) -> ClientId {
        ClientId([client; 16])
    }

    fn order(places: &Places<u8>, list: &List) -> Vec<u8> {
        std::iter::successors(list.first(), |&at| places.next(at)).map(|at| *places.get(at)).collect()
    }

    proptest! {
        #[test]
        fn who_is_in_is_found_and_the_lists_keep_their_order(steps in vec((any::<u8>(), 0..4_u8), 0..400)) {
            let (mut places, mut one, mut other) = (Places::new(), List::new(), List::new());
            let mut model: BTreeMap<u8, bool> = BTreeMap::new();
            let mut orders: [Vec<u8>; 2] = Default::default();
            for (client, step) in steps {
                let at = places.find(id(client));
                prop_assert_eq!(at.is_some(), model.contains_key(&client));
                match (at, step) {
                    (None, _) => {
                        places.insert(id(client), client, &mut one);
                        model.insert(client, false);
                        orders[0].push(client);
                    }
                    (Some(at), 0..2) => {
                        let in_other = model.remove(&client).expect("it is in");
                        places.remove(if in_other { &mut other } else { &mut one }, at);
                        orders[usize::from(in_other)].retain(|&was| was != client);
                    }
                    (Some(at), 2) => {
                        let in_other = model[&client];
                        places.put_last(if in_other { &mut other } else { &mut one }, at);
                        let order = &mut orders[usize::from(in_other)];
                        order.retain(|&was| was != client);
                        order.push(client);
                    }
                    (Some(at), _) => {
                        let in_other = model.insert(client, !model[&client]).expect("it is in");
                        let (from, to) = if in_other { (&mut other, &mut one) } else { (&mut one, &mut other) };
                        places.transfer(from, to, at);
                        orders[usize::from(in_other)].retain(|&was| was != client);
                        orders[usize::from(!in_other)].push(client);
                    }
                }
                prop_assert_eq!(&order(&places, &one), &orders[0]);
                prop_assert_eq!(&order(&places, &other), &orders[1]);
                prop_assert_eq!((one.len(), other.len()), (orders[0].len(), orders[1].len()));
                prop_assert!(model.keys().all(|&client| places.find(id(client)).is_some()));
            }
            prop_assert!(places.places.len() <= 256, "places are taken again");
        }
    }
}
