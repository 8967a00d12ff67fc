//! Where a worker has its connections: in a word each, found by a number and told from who was there before.
//!
//! Invariant: who is in a place has the key that it got there, until it is taken out.

use super::dispatch::Key;

/// What knows the key that it was given.
pub(super) trait Tenant {
    fn key(&self) -> Option<Key>;
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tenants<T> {
    places: Vec<Option<T>>,
    /// The places that nobody is in; last the one that was left last.
    vacant: Vec<u32>,
    generation: u32,
}

impl<T> Default for Tenants<T> {
    fn default() -> Self {
        Self { places: Vec::new(), vacant: Vec::new(), generation: 0 }
    }
}

impl<T: Tenant> Tenants<T> {
    /// Takes one in, which `settle` tells its key.
    pub(super) fn insert(&mut self, tenant: T, settle: impl FnOnce(&T, Key)) -> Key {
        self.generation = self.generation.wrapping_add(1);
        let place = self.vacant.pop().map_or(self.places.len(), |place| place as usize);
        let key = Key::new(place as u32, self.generation);
        settle(&tenant, key);
        if place == self.places.len() {
            self.places.push(Some(tenant));
        } else {
            self.places[place] = Some(tenant);
        }
        key
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&T> {
        self.at(key.place()).filter(|tenant| tenant.key() == Some(key))
    }

    /// Who is in a place, if anybody.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<&T> {
        self.places.get(place)?.as_ref()
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        self.vacant.push(key.place() as u32);
        self.places[key.place()].take()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// From here on no place is taken.
    pub(super) fn end(&self) -> usize {
        self.places.len()
    }

    /// Takes all out.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.vacant.clear();
        std::mem::take(&mut self.places).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Guest(Cell<Option<Key>>);

    impl Tenant for Guest {
        fn key(&self) -> Option<Key> {
            self.0.get()
        }
    }

    fn insert(tenants: &mut Tenants<Guest>) -> Key {
        tenants.insert(Guest::default(), |guest, key| guest.0.set(Some(key)))
    }

    #[test]
    fn an_old_key_finds_nobody_and_places_are_taken_again() {
        let mut tenants = Tenants::default();
        let [first, second] = [(), ()].map(|()| insert(&mut tenants));
        assert!(tenants.remove(first).is_some() && tenants.remove(first).is_none());
        let third = insert(&mut tenants);
        assert_eq!((third.place(), tenants.len(), tenants.end()), (first.place(), 2, 2));
        assert!(tenants.get(first).is_none() && tenants.remove(first).is_none());
        assert!([second, third].iter().all(|key| tenants.get(*key).is_some()));
        assert_eq!(tenants.take_all().count(), 2);
        assert_eq!((tenants.len(), tenants.get(second).is_some()), (0, false));
    }
}
