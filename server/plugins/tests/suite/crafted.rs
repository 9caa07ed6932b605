//! Components that are made to keep a compiler busy, or to be a burden afterwards.

use lessor_plugins::Misfit;

use crate::rig::{Rig, component, spec};

/// A number as WebAssembly writes it.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit");
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &number(content.len())[..], content].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len()), items.concat()].concat()
}

/// A component made of sections.
pub(crate) fn component_of(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// A core module made of sections, as a section of a component.
fn module_of(sections: &[Vec<u8>]) -> Vec<u8> {
    section(1, &[b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat())
}

/// The type of a function that takes and gives so many numbers.
fn signature(parameters: usize, results: usize) -> Vec<u8> {
    let numbers = |count: usize| list(&vec![vec![0x7f]; count]);
    [vec![0x60], numbers(parameters), numbers(results)].concat()
}

fn types(types: &[Vec<u8>]) -> Vec<u8> {
    module_of(&[section(1, &list(types))])
}

/// A module with so many functions, each of which has so many variables and this code.
fn functions(count: usize, variables: usize, code: &[u8]) -> Vec<u8> {
    let body = [&[1], &number(variables)[..], &[0x7f], code, &[0x0b]].concat();
    let body = [number(body.len()), body].concat();
    module_of(&[
        section(1, &list(&[signature(0, 0)])),
        section(3, &list(&vec![vec![0]; count])),
        section(10, &list(&vec![body; count])),
    ])
}

pub(crate) fn function(variables: usize, code: &[u8]) -> Vec<u8> {
    functions(1, variables, code)
}

const NOP: [u8; 1] = [0x01];

/// A type of an instance that declares so many functions without parameters and results.
fn instance_type(functions: usize) -> Vec<u8> {
    [vec![0x42], list(&vec![vec![0x01, 0x40, 0x00, 0x01, 0x00]; functions])].concat()
}

/// What the server would have to keep, and why it is refused.
fn crafted() -> Vec<(Vec<Vec<u8>>, &'static str)> {
    let inner = |sections: &[Vec<u8>]| section(4, &component_of(sections));
    let empty = || module_of(&[]);
    let many = "types, with their fields, cases and declarations";
    let fields = [vec![0x6f], list(&vec![vec![0x7f]; 5_000])].concat();
    vec![
        (vec![functions(40, 0, &NOP.repeat(500_000))], "bytes of code"),
        (vec![functions(30_001, 0, &[])], "functions"),
        (vec![types(&vec![signature(0, 0); 10_001])], many),
        (vec![section(7, &list(&vec![instance_type(5_000); 100]))], many),
        (vec![section(7, &list(&[fields.clone(), fields]))], many),
        (vec![section(0, b"\x01m"); 5_001], "sections"),
        (vec![module_of(&[section(4, &[1, 0x70, 0, 0xa1, 0x9c, 1])])], "entries of a table"),
        (vec![empty(); 65], "modules"),
        (vec![inner(&[]); 16], "components"),
        (vec![inner(&[empty()])], "modules inside of inner components"),
        (vec![inner(&[inner(&[])])], "components inside of inner components"),
    ]
}

#[tokio::test]
async fn what_would_be_a_burden_is_refused_before_it_is_compiled() {
    let rig = Rig::new();
    for (sections, what) in crafted() {
        let unfit = rig.host.check(spec("crafted"), component_of(&sections)).await.expect_err(what);
        let said = unfit.to_string();
        assert!(matches!(unfit.misfits[..], [Misfit::TooMuch { .. }]), "{what}: {said}");
        assert!(said.contains(&format!(" {what}")), "{what}: {said}");
    }
}

#[tokio::test]
async fn what_is_just_within_the_bounds_is_not_too_much() {
    let rig = Rig::new();
    let fine = [
        functions(30_000, 0, &[]),
        types(&vec![signature(0, 0); 10_000]),
        section(7, &list(&[instance_type(4_998), instance_type(4_999)])),
    ];
    for section in fine {
        let unfit =
            rig.host.check(spec("fine"), component_of(&[section])).await.expect_err("it exports nothing");
        assert!(matches!(unfit.misfits[..], [Misfit::NotOfKind { .. }]), "{unfit}");
    }
}

#[tokio::test]
async fn a_memory_that_begins_beyond_its_limit_is_refused() {
    // 1,025 pages, 64 KiB more than the default limit.
    let memory = component_of(&[module_of(&[section(5, &[1, 0, 0x81, 8])])]);
    let unfit = Rig::new().host.check(spec("large"), memory).await.unwrap_err();
    let (bytes, most) = ((64 << 20) + (64 << 10), 64 << 20);
    assert!(unfit.misfits.contains(&Misfit::Memory { bytes, most }), "{unfit}");
}

#[tokio::test]
async fn checking_compiles_nothing() {
    let rig = Rig::new();
    let checked = rig.host.check(spec("list"), component("target-list")).await.expect("it fits");
    assert_eq!(std::fs::read_dir(&rig.cache).unwrap().count(), 0);
    let prepared = rig.host.compile(checked).await.expect("it compiles");
    assert_eq!(std::fs::read_dir(&rig.cache).unwrap().count(), 1);
    assert_eq!(rig.host.install(prepared).calls, 0);
}
