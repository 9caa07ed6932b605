//! Looks through a component before anything of it is compiled: what it is, and how much there is to compile.
//!
//! A compiler takes its time: a crafted component of 2 MB keeps it busy for a minute. What makes it slow is counted here,
//! in one pass that takes some 10 ns for each byte, and the first excess ends the pass. Bounds are some times what the
//! largest component has that is known to be of use, an interpreter of Python.

use wasmparser::{
    ComponentInstance, Encoding, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser,
    Payload, ValidPayload, Validator, ValidatorResources,
};

use crate::error::Misfit;
use crate::inspect::Anatomy;
use crate::limits::{
    BRANCHES_MAX, CODE_BYTES_MAX, COMPONENTS_MAX, CROSSINGS_MAX, ENTRIES_MAX, FUNCTION_BYTES_MAX,
    FUNCTION_CROSSINGS_MAX, FUNCTION_SPREAD_MAX, FUNCTIONS_MAX, LOCALS_MAX, MODULES_MAX, NESTING_MAX,
    OPERANDS_MAX, PARAMS_MAX, RESULTS_MAX, TABLE_ENTRIES_MAX, TYPES_MAX,
};

/// Bytes of a page of a guest's memory.
const PAGE_BYTES: u64 = 64 << 10;

/// What a look through a component found.
pub(crate) struct Survey {
    pub(crate) anatomy: Anatomy,
    /// What its memories have from the beginning, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Looks through a component.
///
/// # Errors
///
/// It is none, it is not valid, or there is more of something than is compiled.
pub(crate) fn survey(component: &[u8]) -> Result<Survey, Misfit> {
    let mut surveyor = Surveyor::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| invalid(&error))?;
        surveyor.count(&payload)?;
        let valid = surveyor.validator.payload(&payload).map_err(|error| invalid(&error))?;
        if let ValidPayload::Func(function, body) = valid {
            surveyor.function(function, &body)?;
        }
    }
    let Surveyor { imports, exports, memory_bytes, .. } = surveyor;
    Ok(Survey { anatomy: Anatomy::new(imports, exports), memory_bytes })
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Misfit {
    Misfit::NotAComponent(error.to_string())
}

/// Refuses more of something than is compiled.
fn within(what: &'static str, found: u64, most: u64) -> Result<(), Misfit> {
    if found > most { Err(Misfit::TooMuch { what, found, most }) } else { Ok(()) }
}

/// What was counted so far.
#[derive(Default)]
struct Surveyor {
    validator: Validator,
    /// What the validator of one function leaves to that of the next.
    allocations: FuncValidatorAllocations,
    /// The component that is looked through, and what is open inside of it.
    open: Vec<Encoding>,
    imports: Vec<String>,
    exports: Vec<String>,
    modules: u64,
    components: u64,
    types: u64,
    functions: u64,
    entries: u64,
    code_bytes: u64,
    crossings: u64,
    memory_bytes: u64,
}

impl Surveyor {
    /// Counts what a section has before anybody looks at it any closer.
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Misfit> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding),
            Payload::End(_) => {
                self.open.pop();
                Ok(())
            }
            Payload::TypeSection(section) => {
                self.count_types(section.count())?;
                section.clone().into_iter_err_on_gc_types().try_for_each(|ty| signature(&ty))
            }
            Payload::CoreTypeSection(section) => self.count_types(section.count()),
            Payload::ComponentTypeSection(section) => self.count_types(section.count()),
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                within("functions", self.functions, FUNCTIONS_MAX)
            }
            Payload::CodeSectionStart { size, .. } => {
                self.code_bytes += u64::from(*size);
                within("bytes of code", self.code_bytes, CODE_BYTES_MAX)
            }
            Payload::CodeSectionEntry(body) => {
                within("bytes of code in one function", length(body), FUNCTION_BYTES_MAX)
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

    fn enter(&mut self, encoding: Encoding) -> Result<(), Misfit> {
        let within_component = self.open.last() != Some(&Encoding::Module);
        self.open.push(encoding);
        match encoding {
            Encoding::Module if self.open.len() == 1 => {
                Err(Misfit::NotAComponent("it is a module: wrap it as a component".to_owned()))
            }
            Encoding::Module => {
                self.modules += 1;
                within("modules", self.modules, MODULES_MAX)
            }
            Encoding::Component if within_component => {
                self.components += 1;
                within("components", self.components, COMPONENTS_MAX)
            }
            Encoding::Component => Err(Misfit::NotAComponent("a component inside of a module".to_owned())),
        }
    }

    fn count_types(&mut self, count: u32) -> Result<(), Misfit> {
        self.types += u64::from(count);
        within("types", self.types, TYPES_MAX)
    }

    /// Memories and tables, which an instance has from the beginning.
    fn count_stores(&mut self, payload: &Payload<'_>) -> Result<(), Misfit> {
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
    fn count_entries(&mut self, payload: &Payload<'_>) -> Result<(), Misfit> {
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

    fn add_entries(&mut self, count: u32) -> Result<(), Misfit> {
        self.entries += u64::from(count);
        within("imports, exports, instances, globals and segments", self.entries, ENTRIES_MAX)
    }

    /// Counts what makes one function slow to compile.
    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Misfit> {
        let bad = |error| invalid(&error);
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(bad)?;
        let locals = u64::from(validator.len_locals());
        within("variables of one function", locals, LOCALS_MAX)?;
        let mut operators = wasmparser::OperatorsReader::new(reader);
        let (mut crossings, mut operands_most) = (0, 0);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(bad)?;
            let paths = paths(&operator)?;
            validator.op(offset, &operator).map_err(bad)?;
            let operands = u64::from(validator.operand_stack_height());
            operands_most = operands_most.max(operands);
            within("operands at once", operands, OPERANDS_MAX)?;
            within("nested blocks", u64::from(validator.control_stack_height()), NESTING_MAX)?;
            crossings += paths * (locals + operands);
            within("values across branches and calls of one function", crossings, FUNCTION_CROSSINGS_MAX)?;
        }
        let spread = length(body) * (locals + operands_most);
        within("bytes of code times values of one function", spread, FUNCTION_SPREAD_MAX)?;
        self.crossings += crossings;
        self.allocations = validator.into_allocations();
        within("values across branches and calls", self.crossings, CROSSINGS_MAX)
    }
}

fn length(body: &FunctionBody<'_>) -> u64 {
    u64::try_from(body.as_bytes().len()).unwrap_or(u64::MAX)
}

/// At how many places a compiler looks at each value that lives across an instruction: where ways part or meet, and where
/// a call wants the registers. Some instructions are made of several of both.
fn paths(operator: &Operator<'_>) -> Result<u64, Misfit> {
    use Operator as O;
    Ok(match operator {
        O::Block { .. }
        | O::Loop { .. }
        | O::If { .. }
        | O::Else
        | O::End
        | O::Br { .. }
        | O::BrIf { .. }
        | O::Call { .. }
        | O::ReturnCall { .. } => 1,
        O::CallIndirect { .. }
        | O::ReturnCallIndirect { .. }
        | O::RefFunc { .. }
        | O::TableGet { .. }
        | O::TableSet { .. }
        | O::TableGrow { .. }
        | O::TableFill { .. }
        | O::TableCopy { .. }
        | O::TableInit { .. }
        | O::ElemDrop { .. }
        | O::DataDrop { .. }
        | O::MemoryGrow { .. }
        | O::MemoryCopy { .. }
        | O::MemoryFill { .. }
        | O::MemoryInit { .. } => 4,
        O::BrTable { targets } => {
            let targets = u64::from(targets.len());
            within("branches of one table", targets, BRANCHES_MAX)?;
            targets + 1
        }
        _ => 0,
    })
}

fn signature(ty: &wasmparser::Result<wasmparser::FuncType>) -> Result<(), Misfit> {
    let ty = ty.as_ref().map_err(invalid)?;
    within("parameters of a function", ty.params().len() as u64, PARAMS_MAX)?;
    within("results of a function", ty.results().len() as u64, RESULTS_MAX)
}

/// A component inside of a component only gives other names to functions, as tools make it for exports. Code between
/// components, and what is made of what again, would have to be unfolded to see how much it is.
fn names_only(payload: &Payload<'_>) -> Result<(), Misfit> {
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
