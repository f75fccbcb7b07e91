//! The synchronisation that the in-process lock is made of, in one place so that a model checker can
//! take its place.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

use std::sync::PoisonError;

/// A panic while the lock was held leaves nothing half done here, so poison is not passed on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
