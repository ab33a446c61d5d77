//! Counters, as Envoy shows them under `wasmcustom.keptn_gateway.`.

use std::cell::RefCell;

use hashbrown::HashMap;

use crate::host;

/// Counters by name. The host knows them by numbers, so each is defined once, when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    numbers: RefCell<HashMap<String, u32>>,
}

impl Counters {
    /// Adds one. A counter that the host refuses is no reason to refuse a request.
    pub(crate) fn count(&self, name: &str) {
        let known = self.numbers.borrow().get(name).copied();
        let number = known.or_else(|| {
            let number = host::define_counter(&format!("keptn_gateway.{name}")).ok()?;
            self.numbers.borrow_mut().insert(name.to_owned(), number);
            Some(number)
        });
        if number.is_none_or(|number| host::increment(number).is_err()) {
            log::error!("cannot count {name}");
        }
    }
}
