//! How a component gets in: looked through at once, compiled in its turn, and ready to be installed.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::broadcast;
use wasmtime::component::Component;

use crate::cache::hex;
use crate::error::{Misfit, Unfit};
use crate::host::{Host, Inner};
use crate::inspect::{Anatomy, Inspection};
use crate::limits::{COMPONENT_BYTES_MAX, MEMORY_BYTES, NAME_BYTES_MAX, PLUGINS_MAX, SETTINGS_BYTES_MAX};
use crate::plugin::Plugin;
use crate::status::PluginStatus;
use crate::survey::Survey;
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
        Plugin::new(Arc::clone(&self.0), broadcast::Sender::new(1)).status()
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
    /// This is quick: 10 ms for a plugin made of Rust, 0.1 s for an interpreter, in a process of its own.
    ///
    /// # Errors
    ///
    /// Everything that does not fit, at once; but of a component that is none or too much, only the first.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the look ends.
    pub async fn check(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Checked, Unfit> {
        let name = spec.name.clone();
        let unfit = |misfits| Unfit { name: name.clone(), misfits };
        let mut wrong = misfits(&spec, &component);
        wrong.extend(self.0.room_for(&name).err());
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(unfit(wrong));
        }
        let Looked { component, digest, anatomy, memory_bytes } = match self.0.look(component).await {
            Ok(looked) => looked,
            Err(misfit) => {
                wrong.push(misfit);
                return Err(unfit(wrong));
            }
        };
        let described = wrong.is_empty();
        wrong.extend(anatomy.misfits(spec.kind, &spec.grants));
        wrong.extend(too_much_memory(memory_bytes, spec.limits.memory_bytes));
        if !described {
            return Err(unfit(wrong));
        }
        let ways = match Ways::open(&self.0.authorities, &spec) {
            Ok(ways) if wrong.is_empty() => ways,
            opened => {
                wrong.extend(opened.err().into_iter().flatten());
                return Err(unfit(wrong));
            }
        };
        Ok(Checked { spec, component, digest, anatomy, ways })
    }

    /// Compiles what was checked, or takes it from the cache, and links it to what it may use.
    ///
    /// This is slow: 0.3 s for a plugin made of Rust, seconds for an interpreter, minutes for one that is crafted for
    /// that. It is done one at a time, in a process that gives way to all others. Hold no lock meanwhile.
    ///
    /// # Errors
    ///
    /// The compiler refuses it, it takes more than it may, or an interface has the wrong shape.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is installed; a compilation that began goes on and is kept in the cache, so that
    /// somebody with little patience need not begin anew.
    pub async fn compile(&self, checked: Checked) -> Result<Prepared, Unfit> {
        let Checked { spec, component, digest, anatomy, ways } = checked;
        let unfit = |misfit| Unfit::one(&spec.name, misfit);
        let compiled = self.0.compiled(&digest, component).await.map_err(unfit)?;
        let (engine, name) = (self.0.engine.clone(), spec.name.clone());
        let linked = aside(move || Version::link(&engine, &compiled, spec, ways, digest, anatomy)).await;
        let linked = linked.map_err(|error| Unfit::one(&name, Misfit::Shape(format!("{error:#}"))))?;
        Ok(Prepared(Arc::new(linked)))
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
    /// It is no component, too much of one, or takes too much to compile.
    ///
    /// # Cancel safety
    ///
    /// As of [`compile`](Self::compile).
    pub async fn inspect(&self, component: Vec<u8>) -> Result<Inspection, Misfit> {
        too_large(&component).map_or(Ok(()), Err)?;
        let Looked { component, digest, anatomy, memory_bytes } = self.0.look(component).await?;
        let kind = anatomy.kind();
        let mut misfits = anatomy.misfits(kind.unwrap_or(Kind::TargetManager), &Grants::default());
        misfits.retain(|misfit| !matches!(misfit, Misfit::NotGranted { .. }));
        misfits.extend(too_much_memory(memory_bytes, MEMORY_BYTES.2));
        if misfits.is_empty() {
            let compiled = self.0.compiled(&digest, component).await?;
            let fit = contract::fit(&self.0.engine, &compiled, &anatomy);
            misfits.extend(fit.err().map(|error| Misfit::Shape(format!("{error:#}"))));
        }
        let Anatomy { imports, exports, contract, wanted } = anatomy;
        let wanted_grants = wanted.into_iter().map(ToOwned::to_owned).collect();
        Ok(Inspection { digest, kind, contract, exports, imports, wanted_grants, misfits })
    }
}

/// A component that was looked through.
struct Looked {
    component: Vec<u8>,
    digest: String,
    anatomy: Anatomy,
    /// What its memories have from the beginning, in bytes.
    memory_bytes: u64,
}

impl Inner {
    /// Whether there may be a plugin of this name.
    fn room_for(&self, name: &str) -> Result<(), Misfit> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner).len();
        let room = plugins < PLUGINS_MAX || self.plugin(name).is_some();
        if room { Ok(()) } else { Err(Misfit::TooMany(plugins)) }
    }

    async fn look(&self, component: Vec<u8>) -> Result<Looked, Misfit> {
        let Survey { imports, exports, memory_bytes } = self.compiler.look(&component).await?;
        let anatomy = Anatomy::new(imports, exports);
        let (component, digest) = aside(move || {
            let digest = hex(&Sha256::digest(&component));
            (component, digest)
        })
        .await;
        Ok(Looked { component, digest, anatomy, memory_bytes })
    }

    /// The machine code of a component: what was made before, or made now and kept.
    async fn compiled(self: &Arc<Self>, digest: &str, component: Vec<u8>) -> Result<Component, Misfit> {
        if let Some(compiled) = self.cached(digest).await {
            return Ok(compiled);
        }
        let turn = self.compiler.turn().await;
        let (inner, digest) = (Arc::clone(self), digest.to_owned());
        let compiling = tokio::spawn(async move {
            let _until_it_ends = turn;
            // Somebody else may have had the same compiled before.
            if let Some(compiled) = inner.cached(&digest).await {
                return Ok(compiled);
            }
            let code = inner.compiler.compile(&component).await?;
            let kept = aside(move || inner.cache.keep(&inner.engine, &digest, &code)).await;
            kept.map_err(|error| Misfit::NotAComponent(format!("{error:#}")))
        });
        // It is gone only if the server is going down.
        compiling
            .await
            .unwrap_or_else(|gone| Err(Misfit::Failed { doing: "compiling", why: gone.to_string() }))
    }

    async fn cached(self: &Arc<Self>, digest: &str) -> Option<Component> {
        let (inner, digest) = (Arc::clone(self), digest.to_owned());
        aside(move || inner.cache.load(&inner.engine, &digest)).await
    }
}

/// Does what takes more than a moment in a thread where it may.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("neither digests nor files nor machine code make it panic")
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
    let full = |folder: &Path| {
        folder.is_absolute() && !folder.components().any(|part| part == std::path::Component::ParentDir)
    };
    let relative = spec.grants.files.iter().filter(|folder| !full(folder));
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

/// Whether a plugin can be called so: [`Misfit::Name`] says how.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
