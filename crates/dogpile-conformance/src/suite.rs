//! From properties to tests.

use std::future::Future;
use std::time::Duration;

/// How long a property may take before it counts as hung.
const AT_MOST: Duration = Duration::from_secs(60);

/// Runs one property: on a tokio runtime of its own with two worker threads, for at most a minute.
///
/// The suite macros use it; a test that calls a property by name may, too.
///
/// # Panics
/// If the property does, or if it does not end.
pub fn run<F: Future<Output = ()>>(property: F) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = match &runtime {
        Ok(runtime) => runtime.block_on(async { tokio::time::timeout(AT_MOST, property).await }),
        Err(error) => stop(format_args!("no runtime could be started: {error}")),
    };
    if ended.is_err() {
        stop(format_args!("it did not end within {} s", AT_MOST.as_secs()));
    }
    // What a property left running must not keep the test from ending.
    runtime.into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
}

#[track_caller]
#[expect(clippy::panic, reason = "a property reports by panicking")]
pub(crate) fn stop(sentence: std::fmt::Arguments<'_>) -> ! {
    panic!("{sentence}")
}

/// The value of an operation that has to succeed.
pub(crate) trait Must<T> {
    #[track_caller]
    fn must(self, what: &str) -> T;
}

impl<T, E: std::fmt::Debug> Must<T> for Result<T, E> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => stop(format_args!("{what} has to succeed, and failed: {error:?}")),
        }
    }
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Some(value) => value,
            None => stop(format_args!("{what} has to give something, and gave nothing")),
        }
    }
}

/// Declares the properties of a contract once: their list for people, and the list the suite macros
/// go through.
macro_rules! properties {
    ($list:ident, $($name:ident)*) => {
        /// The names of the properties, as a suite's `except` takes them.
        pub const PROPERTIES: &[&str] = &[$(stringify!($name)),*];

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            (@tests $args:tt) => { $crate::__tests! { $args $($name)* } };
            ($then:ident, $args:tt) => { $then! { $args $($name)* } };
        }
    };
}
pub(crate) use properties;

/// The tests of one contract, after a look whether the exceptions are properties at all.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite {
    ($module:ident, $list:ident, $make:expr, [$($skip:ident),*]) => {
        $(const _: () = {
            #[allow(unused_imports, reason = "it is named to see that it exists")]
            use $crate::$module::$skip as _;
        };)*
        $crate::$list! { @tests [$module, $make, [$($skip),*]] }
    };
}

/// One `#[test]` of each property.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$module:ident, $make:expr, $skip:tt] $($name:ident)*) => {
        $($crate::__test! { [$] $module, $make, $skip, $name })*
    };
}

/// One test: ignored if its name is in the list of exceptions. Names can be compared only by a macro
/// that has one of them in its pattern, so each test defines that macro for itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    ([$d:tt] $module:ident, $make:expr, [$($skip:ident),* $(,)?], $name:ident) => {
        macro_rules! __emit {
            ($name $d($rest:ident)*) => {
                #[test]
                #[ignore = "declined"]
                fn $name() {
                    $crate::run(async { $crate::$module::$name(&{ $make }.await).await });
                }
            };
            ($d other:ident $d($rest:ident)*) => { __emit! { $d($rest)* } };
            () => {
                #[test]
                fn $name() {
                    $crate::run(async { $crate::$module::$name(&{ $make }.await).await });
                }
            };
        }
        __emit! { $($skip)* }
    };
}

/// Runs every property of [`backend`](crate::backend) as a test of its own.
///
/// Give it an expression that is a future of a [`Subject`](crate::Subject); it is evaluated once for
/// each test. `except` declines properties by name: they are listed as ignored.
///
/// ```
/// # #[cfg(test)]
/// mod memory {
///     dogpile_conformance::backend_suite!(
///         async { dogpile_conformance::Subject::new(super::Memory::default()) },
///         except = [expires_is_kept]
///     );
/// }
/// ```
#[macro_export]
macro_rules! backend_suite {
    ($make:expr $(,)?) => { $crate::backend_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { backend, __backend_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`lock`](crate::lock) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! lock_suite {
    ($make:expr $(,)?) => { $crate::lock_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { lock, __lock_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`lease`](crate::lease) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! lease_suite {
    ($make:expr $(,)?) => { $crate::lease_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { lease, __lease_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`read_through`](crate::read_through) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! read_through_suite {
    ($make:expr $(,)?) => { $crate::read_through_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { read_through, __read_through_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`counter`](crate::counter) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! counter_suite {
    ($make:expr $(,)?) => { $crate::counter_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { counter, __counter_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`codec`](crate::codec) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! codec_suite {
    ($make:expr $(,)?) => { $crate::codec_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { codec, __codec_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`locator`](crate::locator) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[macro_export]
macro_rules! locator_suite {
    ($make:expr $(,)?) => { $crate::locator_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { locator, __locator_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`generation`](crate::generation) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[cfg(feature = "sessions")]
#[macro_export]
macro_rules! generation_suite {
    ($make:expr $(,)?) => { $crate::generation_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { generation, __generation_properties, $make, [$($skip),*] }
    };
}

/// Runs every property of [`monotonic`](crate::monotonic) as a test of its own; see
/// [`backend_suite!`](crate::backend_suite).
#[cfg(feature = "sessions")]
#[macro_export]
macro_rules! monotonic_suite {
    ($make:expr $(,)?) => { $crate::monotonic_suite! { $make, except = [] } };
    ($make:expr, except = [$($skip:ident),* $(,)?] $(,)?) => {
        $crate::__suite! { monotonic, __monotonic_properties, $make, [$($skip),*] }
    };
}
