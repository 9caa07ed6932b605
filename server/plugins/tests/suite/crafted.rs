//! Components that are made to keep a compiler busy: refused before it sees them.

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
fn component_of(sections: &[Vec<u8>]) -> Vec<u8> {
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

fn function(variables: usize, code: &[u8]) -> Vec<u8> {
    functions(1, variables, code)
}

const NOP: [u8; 1] = [0x01];
const BLOCK: [u8; 2] = [0x02, 0x40];
const END: [u8; 1] = [0x0b];
const ZERO: [u8; 2] = [0x41, 0];
const DROP: [u8; 1] = [0x1a];

/// What keeps a compiler busy, and why it is refused.
fn crafted() -> Vec<(Vec<Vec<u8>>, &'static str)> {
    let table = [&ZERO[..], &[0x0e], &list(&vec![vec![0]; 8_193]), &[0]].concat();
    let inner = |sections: &[Vec<u8>]| section(4, &component_of(sections));
    let empty = || module_of(&[]);
    vec![
        (vec![functions(2, 0, &NOP.repeat(950_000))], "bytes of code in one function"),
        (vec![functions(40, 0, &NOP.repeat(500_000))], "bytes of code:"),
        (vec![functions(30_001, 0, &[])], "functions"),
        (vec![function(1_001, &[])], "variables of one function"),
        (vec![function(900, &NOP.repeat(20_000))], "bytes of code times values of one function"),
        (
            vec![function(900, &[BLOCK.as_slice(), &END].concat().repeat(600))],
            "values across branches and calls of one function",
        ),
        (
            vec![functions(30, 900, &[BLOCK.as_slice(), &END].concat().repeat(500))],
            "values across branches and calls:",
        ),
        (vec![function(0, &[ZERO.repeat(501), DROP.repeat(501)].concat())], "operands at once"),
        (vec![function(0, &[BLOCK.repeat(2_001), END.repeat(2_001)].concat())], "nested blocks"),
        (vec![function(0, &table)], "branches of one table"),
        (vec![types(&vec![signature(0, 0); 5_001])], "types"),
        (vec![types(&[signature(65, 0)])], "parameters of a function"),
        (vec![types(&[signature(0, 3)])], "results of a function"),
        (vec![module_of(&[section(4, &[1, 0x70, 0, 0xa1, 0x9c, 1])])], "entries of a table"),
        (vec![empty(); 65], "modules"),
        (vec![inner(&[]); 16], "components"),
        (vec![inner(&[empty()])], "modules inside of inner components"),
        (vec![inner(&[inner(&[])])], "components inside of inner components"),
    ]
}

#[tokio::test]
async fn what_would_keep_a_compiler_busy_is_refused_before_it_begins() {
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
        function(1_000, &NOP.repeat(10_000)),
        function(0, &NOP.repeat(500_000)),
        functions(30_000, 0, &[]),
        function(0, &[ZERO.repeat(500), DROP.repeat(500)].concat()),
        function(0, &[BLOCK.repeat(1_999), END.repeat(1_999)].concat()),
        types(&[signature(64, 2)]),
    ];
    for module in fine {
        let unfit =
            rig.host.check(spec("fine"), component_of(&[module])).await.expect_err("it exports nothing");
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
