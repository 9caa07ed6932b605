//! How a component gets in: looked through at once, compiled in its turn, and ready to be installed.

use std::sync::{Arc, PoisonError};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::cache::hex;
use crate::error::{Misfit, Unfit};
use crate::host::{Host, Inner};
use crate::inspect::{Anatomy, Inspection};
use crate::limits::{COMPONENT_BYTES_MAX, MEMORY_BYTES, NAME_BYTES_MAX, PLUGINS_MAX, SETTINGS_BYTES_MAX};
use crate::plugin::Plugin;
use crate::status::PluginStatus;
use crate::survey::{Survey, survey};
use crate::version::Version;
use crate::ways::Ways;
use crate::{Grants, Kind, PluginSpec, contract};

/// A version of a plugin that fits as far as can be told without compiling it.
pub struct Checked {
    spec: PluginSpec,
    component: Vec<u8>,
    digest: String,
    anatomy: Anatomy,
    ways: Ways,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Checked");
        shown.field("name", &self.spec.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// A version of a plugin that was checked and compiled, and is not used yet.
pub struct Prepared(pub(crate) Arc<Version>);

impl Prepared {
    /// SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What its status would be right after it was installed.
    #[must_use]
    pub fn status(&self) -> PluginStatus {
        Plugin::new(Arc::clone(&self.0)).status()
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.0.context.name)
            .field("digest", &self.0.digest)
            .finish()
    }
}

impl Host {
    /// Checks a component against its kind, the contract, its grants and the bounds of what is compiled.
    ///
    /// This is quick: 3 ms for a plugin made of Rust, 0.2 s for an interpreter, off the threads of the runtime.
    ///
    /// # Errors
    ///
    /// Everything that does not fit, at once; but of a component that is none or too much, only the first.
    ///
    /// # Cancel safety
    ///
    /// Nothing depends on it.
    pub async fn check(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Checked, Unfit> {
        let (inner, name) = (Arc::clone(&self.0), spec.name.clone());
        let done = tokio::task::spawn_blocking(move || inner.check(spec, component)).await;
        done.unwrap_or_else(|panic| Err(Unfit::one(&name, Misfit::NotAComponent(panic.to_string()))))
    }

    /// Compiles what was checked, or takes it from the cache, and links it to what it may use.
    ///
    /// This is slow: 30 ms for a plugin made of Rust, seconds for an interpreter, a minute for one that is crafted for
    /// that. It is done one at a time, on threads that give way to all others. Hold no lock meanwhile.
    ///
    /// # Errors
    ///
    /// The compiler refuses it, or an interface has the wrong shape.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is installed; a compilation that began goes on and is kept in the cache.
    pub async fn compile(&self, checked: Checked) -> Result<Prepared, Unfit> {
        let (inner, name) = (Arc::clone(&self.0), checked.spec.name.clone());
        let done = self.0.compiler.run(move || inner.link(checked)).await;
        done.and_then(|linked| linked).map_err(|misfit| Unfit::one(&name, misfit))
    }

    /// [`check`](Self::check), then [`compile`](Self::compile).
    ///
    /// # Errors
    ///
    /// As of both.
    ///
    /// # Cancel safety
    ///
    /// As of both.
    pub async fn prepare(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Prepared, Unfit> {
        self.compile(self.check(spec, component).await?).await
    }

    /// Tells what a component is and what it wants, as if everything were granted. Nothing of it is run or installed.
    ///
    /// # Errors
    ///
    /// It is no component, or too much of one.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a compilation that began goes on and is kept in the cache.
    pub async fn inspect(&self, component: Vec<u8>) -> Result<Inspection, Misfit> {
        let inner = Arc::clone(&self.0);
        self.0.compiler.run(move || inner.inspect(&component)).await?
    }
}

impl Inner {
    /// The part of [`Host::check`] that computes.
    fn check(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Checked, Unfit> {
        let name = spec.name.clone();
        let unfit = |misfits| Unfit { name: name.clone(), misfits };
        let wrong = misfits(&spec, &component);
        if !wrong.is_empty() {
            return Err(unfit(wrong));
        }
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner).len();
        if plugins >= PLUGINS_MAX && self.plugin(&name).is_none() {
            return Err(unfit(vec![Misfit::TooMany(plugins)]));
        }
        let Survey { anatomy, memory_bytes } = survey(&component).map_err(|misfit| unfit(vec![misfit]))?;
        let mut wrong = anatomy.misfits(spec.kind, &spec.grants);
        wrong.extend(too_much_memory(memory_bytes, spec.limits.memory_bytes));
        let ways = match Ways::open(&self.authorities, &spec) {
            Ok(ways) if wrong.is_empty() => ways,
            opened => {
                wrong.extend(opened.err().into_iter().flatten());
                return Err(unfit(wrong));
            }
        };
        let digest = hex(&Sha256::digest(&component));
        Ok(Checked { spec, component, digest, anatomy, ways })
    }

    /// The part of [`Host::compile`] that takes long.
    fn link(&self, checked: Checked) -> Result<Prepared, Misfit> {
        let Checked { spec, component, digest, anatomy, ways } = checked;
        let compiled = self.compiled(&digest, &component)?;
        let linked = Version::link(&self.engine, &compiled, spec, ways, digest, anatomy);
        let version = linked.map_err(|error| Misfit::Shape(format!("{error:#}")))?;
        Ok(Prepared(Arc::new(version)))
    }

    /// The part of [`Host::inspect`] that takes long.
    fn inspect(&self, component: &[u8]) -> Result<Inspection, Misfit> {
        too_large(component).map_or(Ok(()), Err)?;
        let Survey { anatomy, memory_bytes } = survey(component)?;
        let digest = hex(&Sha256::digest(component));
        let kind = anatomy.kind();
        let mut misfits = anatomy.misfits(kind.unwrap_or(Kind::TargetManager), &Grants::default());
        misfits.retain(|misfit| !matches!(misfit, Misfit::NotGranted { .. }));
        misfits.extend(too_much_memory(memory_bytes, MEMORY_BYTES.2));
        if misfits.is_empty()
            && let Err(error) = contract::fit(&self.engine, &self.compiled(&digest, component)?, &anatomy)
        {
            misfits.push(Misfit::Shape(format!("{error:#}")));
        }
        let Anatomy { imports, exports, contract, wanted } = anatomy;
        let wanted_grants = wanted.into_iter().map(ToOwned::to_owned).collect();
        Ok(Inspection { digest, kind, contract, exports, imports, wanted_grants, misfits })
    }

    fn compiled(&self, digest: &str, component: &[u8]) -> Result<Component, Misfit> {
        if let Some(compiled) = self.cache.load(&self.engine, digest) {
            return Ok(compiled);
        }
        let refused = |error: wasmtime::Error| Misfit::NotAComponent(format!("{error:#}"));
        let compiled = Component::from_binary(&self.engine, component).map_err(refused)?;
        self.cache.keep(digest, &compiled.serialize().map_err(refused)?);
        Ok(compiled)
    }
}

/// What is wrong before anybody looks into the component.
fn misfits(spec: &PluginSpec, component: &[u8]) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    if !is_name(&spec.name) {
        misfits.push(Misfit::Name);
    }
    let wrong = spec.limits.out_of_range().into_iter();
    misfits.extend(wrong.map(|(limit, value, least, most)| Misfit::Limit { limit, value, least, most }));
    let settings_fit = spec.settings.is_null()
        || (spec.settings.is_object() && spec.settings.to_string().len() <= SETTINGS_BYTES_MAX);
    if !settings_fit {
        misfits.push(Misfit::Settings);
    }
    let relative = spec.grants.files.iter().filter(|folder| !folder.is_absolute());
    misfits.extend(relative.cloned().map(Misfit::RelativeFolder));
    let unset = spec.grants.secrets.iter().filter(|name| !spec.secrets.contains_key(*name));
    misfits.extend(unset.cloned().map(Misfit::SecretNotSet));
    misfits.extend(too_large(component));
    misfits
}

fn too_large(component: &[u8]) -> Option<Misfit> {
    let bytes = component.len();
    (bytes > COMPONENT_BYTES_MAX).then_some(Misfit::TooLarge { bytes, most: COMPONENT_BYTES_MAX })
}

fn too_much_memory(bytes: u64, most: u64) -> Option<Misfit> {
    (bytes > most).then_some(Misfit::Memory { bytes, most })
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
