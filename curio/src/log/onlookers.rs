//! Those who look on, and how what is in the log gets to them.

use std::cell::{Cell, RefCell};
use std::fmt;

use crate::activation::{Activation, KernelInfo};
use crate::contain::{contain, log};
use crate::context;
use crate::tables::Tables;

/// Who looks on.
pub(crate) struct Activations {
    kernel: KernelInfo,
    activated: Cell<bool>,
    list: RefCell<Vec<Installed>>,
}

/// An activation, until it panics, with the name of its type.
pub(crate) struct Installed {
    activation: Option<Box<dyn Activation>>,
    type_name: &'static str,
    /// It came while the kernel was at work, and will leave again.
    is_guest: bool,
}

impl Installed {
    pub(crate) fn new<A: Activation + 'static>(activation: A) -> Installed {
        Installed {
            activation: Some(Box::new(activation)),
            type_name: std::any::type_name::<A>(),
            is_guest: false,
        }
    }

    fn call(&mut self, f: impl FnOnce(&mut dyn Activation)) {
        let Some(activation) = &mut self.activation else {
            return;
        };
        let mut returned = false;
        contain(|| {
            f(&mut **activation);
            returned = true;
        });
        if !returned {
            log(format_args!(
                "the activation {} panicked; it is not called any more",
                self.type_name
            ));
            self.end();
        }
    }

    fn end(&mut self) {
        let activation = self.activation.take();
        contain(|| drop(activation));
    }
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name)
    }
}

impl Activations {
    pub(crate) fn new(list: Vec<Installed>, kernel: KernelInfo) -> Activations {
        Activations {
            kernel,
            activated: Cell::new(false),
            list: RefCell::new(list),
        }
    }

    /// Hands over what is in the log, outside of its borrow (I2). What the activations cause stays there (A2).
    pub(crate) fn tell(&self, tables: &RefCell<Tables>) {
        // Taken already if an activation, which is being told now, has ended its own kernel.
        let Ok(mut list) = self.list.try_borrow_mut() else {
            return;
        };
        let (mut records, mut running) = (Vec::new(), None);
        tables.borrow_mut().note(|log, _| {
            records = std::mem::take(&mut log.records);
            running = log.running.take();
        });
        if !self.activated.replace(true) {
            list.iter_mut()
                .for_each(|one| one.call(|a| a.activate(&self.kernel)));
        }
        for (at, record) in records {
            let at = context::instant(at);
            list.iter_mut().for_each(|one| one.call(|a| record.tell(at, a)));
            // It may hold the last reference to an error of the user's.
            contain(|| drop(record));
        }
        tables.borrow_mut().note(|log, _| log.running = running);
    }

    /// Somebody looks on for a while, and is told first what there is; or does not any more. What has happened until now was
    /// told.
    pub(crate) fn set_guest(&self, tables: &RefCell<Tables>, guest: Option<Installed>) {
        let Ok(mut list) = self.list.try_borrow_mut() else {
            return;
        };
        for before in list.extract_if(.., |one| one.is_guest) {
            contain(|| drop(before));
        }
        let is_alone = list.is_empty();
        let mut present = Vec::new();
        let mut borrowed = tables.borrow_mut();
        if let Some(mut log) = borrowed.log.take() {
            if is_alone {
                log.forget();
            }
            if guest.is_some() {
                if is_alone {
                    log.learn(&borrowed);
                }
                present = log.present(&borrowed);
            }
            log.recording = guest.is_some() || !is_alone;
            borrowed.log = Some(log);
        }
        drop(borrowed);
        if let Some(mut guest) = guest {
            guest.is_guest = true;
            if self.activated.get() {
                guest.call(|activation| activation.activate(&self.kernel));
            }
            for (at, record) in present {
                guest.call(|activation| record.tell(context::instant(at), activation));
            }
            list.push(guest);
        }
    }

    /// Nobody is told anything any more.
    pub(crate) fn end(&self) {
        if let Ok(mut list) = self.list.try_borrow_mut() {
            list.iter_mut().for_each(Installed::end);
        }
    }
}
