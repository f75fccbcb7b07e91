//! TLS by rustls.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// What makes a stream a TLS one, trusting these roots, or those of the operating system if there are
/// none.
pub(crate) fn connector(roots: &[Vec<u8>]) -> io::Result<TlsConnector> {
    let mut store = RootCertStore::empty();
    for root in roots {
        for certificate in certificates(root)? {
            store.add(certificate).map_err(io::Error::other)?;
        }
    }
    if roots.is_empty() {
        let _ = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(io::Error::other(
                "this system has no root certificates; name yours by `Connect::with_root_certificate`",
            ));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(bytes: &[u8]) -> io::Result<Vec<CertificateDer<'_>>> {
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(io::Error::other)
}
