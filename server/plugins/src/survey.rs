//! Looks through a component before anything of it is compiled: what it is, and how much there is of what the server keeps
//! of it while it is installed, and goes through when it makes an instance.
//!
//! What a section has is counted before it is checked, and the first excess ends the look. Bounds are some times what the
//! largest component has that is known to be of use, an interpreter of Python. How long compiling takes is no matter of
//! counting: that is for the bounds of the [worker](crate::worker). Functions are checked when they are compiled.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wasmparser::{
    ComponentDefinedType as Defined, ComponentInstance, ComponentType, ComponentTypeDeclaration, CoreType,
    Encoding, InstanceTypeDeclaration, Parser, Payload, Validator,
};

use crate::limits::{
    CODE_BYTES_MAX, COMPONENTS_MAX, ENTRIES_MAX, FUNCTIONS_MAX, MODULES_MAX, SECTIONS_MAX, TABLE_ENTRIES_MAX,
    TYPES_MAX,
};

/// Bytes of a page of a guest's memory.
const PAGE_BYTES: u64 = 64 << 10;

/// What a look through a component found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Survey {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// What its memories have from the beginning, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Why a component is not compiled, whoever may use it for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flaw {
    /// It is none.
    NotAComponent(String),
    /// There is more of something than is compiled.
    TooMuch { what: Cow<'static, str>, found: u64, most: u64 },
}

/// Looks through a component.
///
/// # Errors
///
/// It is none, it is not valid, or there is more of something than is compiled.
pub(crate) fn survey(component: &[u8]) -> Result<Survey, Flaw> {
    let mut surveyor = Surveyor::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| invalid(&error))?;
        surveyor.count(&payload)?;
        surveyor.validator.payload(&payload).map_err(|error| invalid(&error))?;
    }
    let Surveyor { imports, exports, memory_bytes, .. } = surveyor;
    Ok(Survey { imports, exports, memory_bytes })
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Flaw {
    Flaw::NotAComponent(error.to_string())
}

/// Refuses more of something than is compiled.
fn within(what: &'static str, found: u64, most: u64) -> Result<(), Flaw> {
    if found > most { Err(Flaw::TooMuch { what: what.into(), found, most }) } else { Ok(()) }
}

/// What was counted so far.
#[derive(Default)]
struct Surveyor {
    validator: Validator,
    /// The component that is looked through, and what is open inside of it.
    open: Vec<Encoding>,
    imports: Vec<String>,
    exports: Vec<String>,
    sections: u64,
    modules: u64,
    components: u64,
    types: u64,
    functions: u64,
    entries: u64,
    code_bytes: u64,
    memory_bytes: u64,
}

impl Surveyor {
    /// Counts what a section has before anybody looks at it any closer.
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Flaw> {
        self.sections += u64::from(!matches!(payload, Payload::CodeSectionEntry(_)));
        within("sections", self.sections, SECTIONS_MAX)?;
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding),
            Payload::End(_) => {
                self.open.pop();
                Ok(())
            }
            Payload::TypeSection(section) => self.count_types(u64::from(section.count())),
            Payload::CoreTypeSection(section) => section.clone().into_iter().try_for_each(|ty| {
                let ty = ty.map_err(|error| invalid(&error))?;
                self.count_types(size_of_core(&ty))
            }),
            Payload::ComponentTypeSection(section) => section.clone().into_iter().try_for_each(|ty| {
                let ty = ty.map_err(|error| invalid(&error))?;
                self.count_types(size_of(&ty))
            }),
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                within("functions", self.functions, FUNCTIONS_MAX)
            }
            Payload::CodeSectionStart { size, .. } => {
                self.code_bytes += u64::from(*size);
                within("bytes of code", self.code_bytes, CODE_BYTES_MAX)
            }
            Payload::MemorySection(_) | Payload::TableSection(_) | Payload::ElementSection(_) => {
                self.count_stores(payload)
            }
            _ if self.open.len() > 1 && self.open.last() == Some(&Encoding::Component) => {
                names_only(payload)?;
                self.count_entries(payload)
            }
            _ => self.count_entries(payload),
        }
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), Flaw> {
        let within_component = self.open.last() != Some(&Encoding::Module);
        self.open.push(encoding);
        match encoding {
            Encoding::Module if self.open.len() == 1 => {
                Err(Flaw::NotAComponent("it is a module: wrap it as a component".to_owned()))
            }
            Encoding::Module => {
                self.modules += 1;
                within("modules", self.modules, MODULES_MAX)
            }
            Encoding::Component if within_component => {
                self.components += 1;
                within("components", self.components, COMPONENTS_MAX)
            }
            Encoding::Component => Err(Flaw::NotAComponent("a component inside of a module".to_owned())),
        }
    }

    fn count_types(&mut self, count: u64) -> Result<(), Flaw> {
        self.types += count;
        within("types, with their fields, cases and declarations", self.types, TYPES_MAX)
    }

    /// Memories and tables, which an instance has from the beginning.
    fn count_stores(&mut self, payload: &Payload<'_>) -> Result<(), Flaw> {
        match payload {
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory.map_err(|error| invalid(&error))?;
                    let bytes = memory.initial.saturating_mul(PAGE_BYTES);
                    self.memory_bytes = self.memory_bytes.saturating_add(bytes);
                }
                Ok(())
            }
            Payload::TableSection(section) => section.clone().into_iter().try_for_each(|table| {
                let table = table.map_err(|error| invalid(&error))?;
                let most = u64::try_from(TABLE_ENTRIES_MAX).unwrap_or(u64::MAX);
                within("entries of a table", table.ty.initial, most)
            }),
            Payload::ElementSection(section) => section.clone().into_iter().try_for_each(|element| {
                let items = match element.map_err(|error| invalid(&error))?.items {
                    wasmparser::ElementItems::Functions(items) => items.count(),
                    wasmparser::ElementItems::Expressions(_, items) => items.count(),
                };
                self.add_entries(items.max(1))
            }),
            _ => Ok(()),
        }
    }

    /// Everything that costs little but is not to be without number.
    fn count_entries(&mut self, payload: &Payload<'_>) -> Result<(), Flaw> {
        let outer = self.open.len() == 1;
        let count = match payload {
            Payload::ImportSection(section) => section.count(),
            Payload::GlobalSection(section) => section.count(),
            Payload::ExportSection(section) => section.count(),
            Payload::DataSection(section) => section.count(),
            Payload::TagSection(section) => section.count(),
            Payload::InstanceSection(section) => section.count(),
            Payload::ComponentInstanceSection(section) => section.count(),
            Payload::ComponentAliasSection(section) => section.count(),
            Payload::ComponentCanonicalSection(section) => section.count(),
            Payload::ComponentImportSection(section) => section.count(),
            Payload::ComponentExportSection(section) => section.count(),
            _ => 0,
        };
        self.add_entries(count)?;
        match payload {
            Payload::ComponentImportSection(section) if outer => {
                for import in section.clone() {
                    self.imports.push(import.map_err(|error| invalid(&error))?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if outer => {
                for export in section.clone() {
                    self.exports.push(export.map_err(|error| invalid(&error))?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_entries(&mut self, count: u32) -> Result<(), Flaw> {
        self.entries += u64::from(count);
        within("imports, exports, instances, globals and segments", self.entries, ENTRIES_MAX)
    }
}

/// How many types a type is made of, and itself; each field and case counts as one.
fn size_of(ty: &ComponentType<'_>) -> u64 {
    let parts = match ty {
        ComponentType::Defined(Defined::Record(fields)) => fields.len(),
        ComponentType::Defined(Defined::Variant(cases)) => cases.len(),
        ComponentType::Defined(Defined::Tuple(fields)) => fields.len(),
        ComponentType::Defined(Defined::Flags(names) | Defined::Enum(names)) => names.len(),
        ComponentType::Func(function) => function.params.len(),
        ComponentType::Defined(_) | ComponentType::Resource { .. } => 0,
        ComponentType::Component(declarations) => {
            return 1 + declarations.iter().map(size_of_component_part).sum::<u64>();
        }
        ComponentType::Instance(declarations) => {
            return 1 + declarations.iter().map(size_of_instance_part).sum::<u64>();
        }
    };
    1 + parts as u64
}

fn size_of_component_part(part: &ComponentTypeDeclaration<'_>) -> u64 {
    match part {
        ComponentTypeDeclaration::CoreType(ty) => size_of_core(ty),
        ComponentTypeDeclaration::Type(ty) => size_of(ty),
        _ => 1,
    }
}

fn size_of_instance_part(part: &InstanceTypeDeclaration<'_>) -> u64 {
    match part {
        InstanceTypeDeclaration::CoreType(ty) => size_of_core(ty),
        InstanceTypeDeclaration::Type(ty) => size_of(ty),
        _ => 1,
    }
}

fn size_of_core(ty: &CoreType<'_>) -> u64 {
    match ty {
        CoreType::Rec(group) => group.types().len() as u64,
        CoreType::Module(declarations) => 1 + declarations.len() as u64,
    }
}

/// A component inside of a component only gives other names to functions, as tools make it for exports. Code between
/// components, and what is made of what again, would have to be unfolded to see how much it is.
fn names_only(payload: &Payload<'_>) -> Result<(), Flaw> {
    let (what, found) = match payload {
        Payload::ModuleSection { .. } => ("modules inside of inner components", 1),
        Payload::ComponentSection { .. } => ("components inside of inner components", 1),
        Payload::InstanceSection(section) => ("instances inside of inner components", section.count()),
        Payload::ComponentCanonicalSection(section) => {
            ("functions made by inner components", section.count())
        }
        Payload::ComponentInstanceSection(section) => {
            let instantiated = section
                .clone()
                .into_iter()
                .filter(|instance| !matches!(instance, Ok(ComponentInstance::FromExports(_))));
            ("instances inside of inner components", u32::try_from(instantiated.count()).unwrap_or(u32::MAX))
        }
        _ => return Ok(()),
    };
    within(what, u64::from(found), 0)
}
