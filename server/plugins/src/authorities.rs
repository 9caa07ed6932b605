//! Who vouches for the servers of `https` endpoints: whom the system trusts, or a file of the operator's.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::limits::CA_FILE_BYTES_MAX;
use crate::regular;

/// The certificate authorities that the system trusts, read when somebody first needs them.
#[derive(Default)]
pub(crate) struct Authorities(OnceLock<Arc<RootCertStore>>);

impl Authorities {
    /// An empty list: nobody is believed.
    pub(crate) fn nobody() -> Arc<RootCertStore> {
        Arc::new(RootCertStore::empty())
    }

    /// Those that an endpoint believes: of its own file if it has one, and of no other place then.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has no certificate; the system trusts nobody.
    pub(crate) fn of(&self, file: Option<&Path>) -> Result<Arc<RootCertStore>, String> {
        let Some(file) = file else {
            let roots = Arc::clone(self.0.get_or_init(system));
            let none = "the system trusts no certificate authority: install its list (ca-certificates), or set `ca_file`";
            return if roots.is_empty() { Err(none.to_owned()) } else { Ok(roots) };
        };
        let name = file.display();
        if !file.is_absolute() {
            return Err(format!("the ca_file {name} does not begin with /"));
        }
        let text = regular::read(file, CA_FILE_BYTES_MAX)
            .map_err(|error| format!("the ca_file {name} cannot be read: {error}"))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate =
                certificate.map_err(|error| format!("the ca_file {name} is not PEM: {error}"))?;
            roots.add(certificate).map_err(|error| {
                format!("the ca_file {name} has a certificate that cannot be used: {error}")
            })?;
        }
        if roots.is_empty() {
            return Err(format!(
                "the ca_file {name} has no certificate (in PEM, -----BEGIN CERTIFICATE-----)"
            ));
        }
        Ok(Arc::new(roots))
    }
}

fn system() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "certificates that the system trusts cannot be read");
    }
    // One that is not understood vouches for nobody.
    let _ = roots.add_parsable_certificates(found.certs);
    Arc::new(roots)
}
