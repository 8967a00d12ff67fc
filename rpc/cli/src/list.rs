//! `fibra list` and `fibra describe`: what a server says that it serves.

use crate::catalogue::{Catalogue, Found};
use crate::connect::connect;
use crate::failure::Failure;
use crate::options::{Describe, List};
use crate::output;
use crate::value::json_of;

/// Prints the names of the services, one a line.
///
/// # Errors
///
/// [`Failure`]: there is no server, or it does not say.
pub(crate) fn list(options: &List) -> Result<(), Failure> {
    let proxy = connect(&options.server)?;
    let services = Catalogue::new(&proxy).services()?;
    if options.json {
        return output::line(&json_of(&services, output::layout()));
    }
    services.iter().try_for_each(|service| output::line(&output::harmless(service)))
}

/// Prints a service, or a method, as its trait would have it.
///
/// # Errors
///
/// [`Failure`]: there is no server or no such service, or it does not say.
pub(crate) fn describe(options: &Describe) -> Result<(), Failure> {
    let proxy = connect(&options.server)?;
    let catalogue = Catalogue::new(&proxy);
    let name = &*options.service;
    let described = match catalogue.service(name) {
        Err(not_a_service) if name.contains('.') => match catalogue.method(name) {
            Ok(Found::Known(method)) if options.json => json_of(&method, output::layout()),
            Ok(Found::Known(method)) => {
                let docs: String =
                    method.docs.lines().map(|line| format!("/// {line}\n").replace(" \n", "\n")).collect();
                format!("{docs}{method}")
            }
            Ok(Found::Named(_)) => return Err(not_a_service),
            Err(no_method) => return Err(no_method),
        },
        Ok(service) if options.json => json_of(&service, output::layout()),
        Ok(service) => service.to_string(),
        Err(failure) => return Err(failure),
    };
    output::line(&output::harmless(&described))
}
