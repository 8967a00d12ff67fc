//! Which service has which method, by the full name that travels.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::BindError;
use crate::reflection::{Catalogue, ReflectionServer};
use crate::service::{Method, Service};

/// The services of one server. Fixed once it serves.
pub(super) struct Registry {
    services: Vec<Box<dyn Service>>,
    methods: HashMap<Box<[u8]>, (usize, usize)>,
}

/// A method, ready to run.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) service: &'a dyn Service,
    /// The method's number in its service.
    pub(super) number: usize,
    pub(super) method: &'a Method,
}

impl Registry {
    /// With the service that tells of the others, if there is to be `reflection`.
    ///
    /// # Errors
    ///
    /// [`BindError::DuplicateMethod`]: two services have a method of one name.
    pub(super) fn new(mut services: Vec<Box<dyn Service>>, reflection: bool) -> Result<Self, BindError> {
        if reflection {
            let catalogue = Catalogue::of(services.iter().map(|service| service.descriptor()));
            services.push(Box::new(ReflectionServer::new(catalogue)));
        }
        let mut methods = HashMap::new();
        for (index, service) in services.iter().enumerate() {
            let descriptor = service.descriptor();
            for (number, method) in descriptor.methods().iter().enumerate() {
                match methods.entry(method.full_name().as_bytes().into()) {
                    Entry::Vacant(place) => place.insert((index, number)),
                    Entry::Occupied(_) => {
                        return Err(BindError::DuplicateMethod { name: method.full_name().to_owned() });
                    }
                };
            }
        }
        Ok(Self { services, methods })
    }

    /// The methods of one service; of two that have one name, the last.
    pub(super) fn of(service: Box<dyn Service>) -> Self {
        let methods = service.descriptor().methods().iter().enumerate();
        let methods = methods.map(|(number, method)| (method.full_name().as_bytes().into(), (0, number))).collect();
        Self { services: vec![service], methods }
    }

    /// The method of that name. The name is a peer's: any bytes.
    pub(super) fn find(&self, full_name: &[u8]) -> Option<Target<'_>> {
        let &(index, number) = self.methods.get(full_name)?;
        let service = self.services.get(index)?.as_ref();
        Some(Target { service, number, method: service.descriptor().methods().get(number)? })
    }
}
