//! The name and the attributes of the session's cookie. What browsers refuse cannot be written.

use std::fmt;
use std::marker::PhantomData;

use super::chunk::MAX_CHUNKS;
use super::kind::{Any, Host, InsecureDevelopment, Secure, Shared};
use crate::{Error, ErrorKind};

/// The name and the attributes of the cookie that a session travels in.
///
/// It begins as one of three kinds, and each kind has the options that browsers accept for it: what
/// they would refuse does not compile. Every cookie is `HttpOnly`, there is no way out of that, and
/// `SameSite=Lax` unless told otherwise.
///
/// ```
/// use cookie_session::Attributes;
///
/// let attributes = Attributes::host("session")?.with_same_site_strict();
/// assert_eq!(
///     attributes.to_string(),
///     "__Host-session; Path=/; Secure; HttpOnly; SameSite=Strict",
/// );
/// # Ok::<(), cookie_session::Error>(())
/// ```
///
/// A `__Host-` cookie has no domain and no path of its own, and a cookie for plain http cannot be sent
/// along from other sites:
///
/// ```compile_fail,E0599
/// # use cookie_session::Attributes;
/// let attributes = Attributes::host("session")?.with_path("/shop")?;
/// # Ok::<(), cookie_session::Error>(())
/// ```
///
/// ```compile_fail,E0277
/// # use cookie_session::Attributes;
/// let attributes = Attributes::insecure_for_development("session")?.with_same_site_none();
/// # Ok::<(), cookie_session::Error>(())
/// ```
///
/// ```compile_fail,E0277
/// # use cookie_session::Attributes;
/// let attributes = Attributes::insecure_for_development("session")?.with_partitioned();
/// # Ok::<(), cookie_session::Error>(())
/// ```
pub struct Attributes<Kind = Any> {
    inner: Inner,
    kind: PhantomData<Kind>,
}

#[derive(Clone)]
struct Inner {
    /// With its prefix.
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    same_site: &'static str,
    partitioned: bool,
    max_chunks: usize,
    /// All of them, as every line repeats them.
    suffix: String,
}

impl Inner {
    fn new(name: String) -> Self {
        let mut inner = Self {
            name,
            domain: None,
            path: "/".to_owned(),
            secure: true,
            same_site: "Lax",
            partitioned: false,
            max_chunks: 1,
            suffix: String::new(),
        };
        inner.suffix = inner.written();
        inner
    }

    fn written(&self) -> String {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}"));
        let secure = if self.secure { "; Secure" } else { "" };
        let partitioned = if self.partitioned { "; Partitioned" } else { "" };
        format!(
            "{}; Path={}{secure}; HttpOnly; SameSite={}{partitioned}",
            domain.unwrap_or_default(),
            self.path,
            self.same_site,
        )
    }
}

impl Attributes<Host> {
    /// The cookie `__Host-{name}` of the very host that sets it, the safest kind: no other host, no
    /// plain http and no page below another path can put one in its place.
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) for a name that is empty, has more than 64 bytes,
    /// brings a prefix along, or holds anything but letters, digits, `-` and `_`.
    pub fn host(name: &str) -> Result<Self, Error> {
        Self::new("__Host-", name)
    }
}

impl Attributes<Shared> {
    /// The cookie `__Secure-{name}` of a domain and of all hosts below it. Any of those hosts can put
    /// another cookie in its place, so prefer [`Attributes::host`].
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) for a name as in [`Attributes::host`], and for a
    /// domain that is not written as `example.org` is.
    pub fn shared(name: &str, domain: &str) -> Result<Self, Error> {
        check_domain(domain)?;
        let domain = Some(domain.to_owned());
        Ok(Self::new("__Secure-", name)?.with(|inner| inner.domain = domain))
    }

    /// Sent for this path and what is below it only.
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) unless it begins with `/` and is of at most 256
    /// visible ASCII characters without `;`.
    pub fn with_path(self, path: &str) -> Result<Self, Error> {
        let fits = path.starts_with('/')
            && path.len() <= 256
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        if !fits {
            let what = "a path begins with / and has at most 256 visible characters, no `;`";
            return Err(Error::new(ErrorKind::Refused, what));
        }
        Ok(self.with(|inner| inner.path = path.to_owned()))
    }
}

impl Attributes<InsecureDevelopment> {
    /// The cookie `{name}`, which browsers also send over **plain http**: whoever is on the way reads
    /// and takes the session. For a developer's machine, and for nothing else.
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) for a name as in [`Attributes::host`].
    pub fn insecure_for_development(name: &str) -> Result<Self, Error> {
        Ok(Self::new("", name)?.with(|inner| inner.secure = false))
    }
}

impl<Kind: Secure> Attributes<Kind> {
    /// Sent along with every request that any site makes: for a page that is shown inside others, and
    /// for sign-in services that answer with a POST. Every form then needs its CSRF token.
    #[must_use]
    pub fn with_same_site_none(self) -> Self {
        self.with(|inner| inner.same_site = "None")
    }

    /// A jar of its own for each site that the page is shown inside of (CHIPS).
    #[must_use]
    pub fn with_partitioned(self) -> Self {
        self.with(|inner| inner.partitioned = true)
    }
}

impl<Kind> Attributes<Kind> {
    fn new(prefix: &str, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self { inner: Inner::new(format!("{prefix}{name}")), kind: PhantomData })
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(&mut self.inner);
        self.inner.suffix = self.inner.written();
        self
    }

    /// Not sent with any request that another site began, links included: whoever follows one arrives
    /// without a session.
    #[must_use]
    pub fn with_same_site_strict(self) -> Self {
        self.with(|inner| inner.same_site = "Strict")
    }

    /// Lets a session that does not fit into one cookie travel in up to this many. They are sealed as
    /// one: none of them can be exchanged alone. Servers bound the headers of a request, many to 8 KiB
    /// in total, so this is for the odd large session.
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) unless it is 1 to 8.
    pub fn with_chunks(self, at_most: usize) -> Result<Self, Error> {
        if !(1..=MAX_CHUNKS).contains(&at_most) {
            let what = format!("a session travels in 1 to {MAX_CHUNKS} cookies, not {at_most}");
            return Err(Error::new(ErrorKind::Refused, what));
        }
        Ok(self.with(|inner| inner.max_chunks = at_most))
    }

    /// The name of the cookie, with its prefix. Browsers compare prefixes without case, so names are
    /// compared with it here: `__HOST-session` is another cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn max_chunks(&self) -> usize {
        self.inner.max_chunks
    }

    /// What follows the value in a `Set-Cookie` line, but for the lifetime.
    pub(crate) fn suffix(&self) -> &str {
        &self.inner.suffix
    }
}

impl Default for Attributes {
    /// `__Host-session; Path=/; Secure; HttpOnly; SameSite=Lax`.
    fn default() -> Self {
        Self { inner: Inner::new("__Host-session".to_owned()), kind: PhantomData }
    }
}

impl From<Attributes<Host>> for Attributes {
    fn from(attributes: Attributes<Host>) -> Self {
        Self { inner: attributes.inner, kind: PhantomData }
    }
}

impl From<Attributes<Shared>> for Attributes {
    fn from(attributes: Attributes<Shared>) -> Self {
        Self { inner: attributes.inner, kind: PhantomData }
    }
}

impl From<Attributes<InsecureDevelopment>> for Attributes {
    fn from(attributes: Attributes<InsecureDevelopment>) -> Self {
        Self { inner: attributes.inner, kind: PhantomData }
    }
}

impl<Kind> Clone for Attributes<Kind> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), kind: PhantomData }
    }
}

/// As in a `Set-Cookie` line, without a value.
impl<Kind> fmt::Display for Attributes<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        f.write_str(self.suffix())
    }
}

impl<Kind> fmt::Debug for Attributes<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({self}; at most {} cookies)", self.max_chunks())
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let refused = |what: &str| Err(Error::new(ErrorKind::Refused, what));
    if name.starts_with("__") {
        return refused("the prefix of a cookie's name comes with its kind: leave it out");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return refused("a cookie's name has 1 to 64 letters, digits, - and _");
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<(), Error> {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
    };
    // An address is no domain: browsers refuse it here.
    let numeric =
        domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if domain.len() > 253 || !domain.split('.').all(label) || numeric {
        let what = "a domain is written like example.org: small letters, no dot before it, no address, \
                    international names in their xn-- form";
        return Err(Error::new(ErrorKind::Refused, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_writes_what_browsers_want_of_it() {
        let host = Attributes::host("s").unwrap();
        assert_eq!(host.to_string(), "__Host-s; Path=/; Secure; HttpOnly; SameSite=Lax");
        let embedded = host.with_same_site_none().with_partitioned();
        assert_eq!(
            embedded.to_string(),
            "__Host-s; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
        );
        let shared = Attributes::shared("s", "example.org").unwrap().with_path("/shop").unwrap();
        assert_eq!(
            shared.to_string(),
            "__Secure-s; Domain=example.org; Path=/shop; Secure; HttpOnly; SameSite=Lax"
        );
        let insecure = Attributes::insecure_for_development("s").unwrap().with_same_site_strict();
        assert_eq!(insecure.to_string(), "s; Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(
            Attributes::default().to_string(),
            Attributes::host("session").unwrap().to_string()
        );
    }

    #[test]
    fn options_survive_completion() {
        let of = |complete: Attributes| (complete.to_string(), complete.max_chunks());
        let host = Attributes::host("s").unwrap().with_chunks(3).unwrap();
        assert_eq!(of(host.clone().into()), (host.to_string(), 3));
        let shared = Attributes::shared("s", "example.org").unwrap();
        assert_eq!(of(shared.clone().into()), (shared.to_string(), 1));
        let insecure = Attributes::insecure_for_development("s").unwrap();
        assert_eq!(of(insecure.clone().into()), (insecure.to_string(), 1));
    }

    #[test]
    fn what_would_end_a_header_early_is_refused() {
        for name in ["", "a b", "a=b", "a;b", "ä", "__Host-a", "__host-a", "a.1", "a\r\nb"] {
            assert_eq!(Attributes::host(name).unwrap_err().kind(), ErrorKind::Refused, "{name}");
        }
        assert!(Attributes::host(&"a".repeat(64)).is_ok());
        assert!(Attributes::host(&"a".repeat(65)).is_err());
        for domain in [
            "",
            ".example.org",
            "example.org.",
            "a b.org",
            "Example.org",
            "10.0.0.1",
            "a;b",
            "ü.de",
        ] {
            let refused = Attributes::shared("s", domain).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Refused, "{domain}");
        }
        for path in ["", "shop", "/a;b", "/a b", "/ä", "/a\r\nSet-Cookie: x"] {
            let shared = Attributes::shared("s", "example.org").unwrap();
            assert_eq!(shared.with_path(path).unwrap_err().kind(), ErrorKind::Refused, "{path}");
        }
        for chunks in [0, 9, usize::MAX] {
            let host = Attributes::host("s").unwrap();
            assert_eq!(host.with_chunks(chunks).unwrap_err().kind(), ErrorKind::Refused);
        }
    }
}
